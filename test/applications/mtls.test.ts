/** What a client may do by its certificate is the same in both versions: examples/mtls.ts, and one with node:tls. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { connect } from '../../src/index.ts';
import { Authority, type Identity } from '../support/authority.ts';
import { temporaryFolder } from '../support/files.ts';
import { testWith } from '../support/tools.ts';
import { startApplication } from './application.ts';

const versions = { yodel: 'examples/mtls.ts', 'node:tls': 'test/applications/plain/mtls.ts' };
const refused = 'error: your certificate is not for this';

testWith('openssl', 'apt-get install openssl')('what a client may do depends on its certificate', async () => {
  using authority = new Authority('/O=Example/CN=Example CA');
  using other = new Authority('/O=Example/CN=Another CA');
  const own = authority.issue('/CN=localhost', ['DNS.1=localhost']);
  const folder = temporaryFolder();
  const files = { 'ca.pem': authority.cert, 'server.pem': own.cert, 'server.key': own.key };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);

  const name = 'spiffe://example.org/billing';
  const [billing, reports] = [`URI.1=${name}`, 'URI.1=spiffe://example.org/reports'];
  const issue = (...names: string[]) => authority.issue('/CN=any', names);
  const cases: readonly (readonly [Identity, text: string, answer: string])[] = [
    [issue(billing), 'write 1', 'write: done'],
    [issue(billing, 'DNS.1=billing.example'), 'read', 'read: done'],
    [issue(reports), 'read', 'read: done'],
    [issue(reports), 'write 1', refused],
    [issue('DNS.1=localhost'), 'read', refused],
    [issue(`URI.1=x:y, URI:${name}`), 'read', refused],
    [issue(billing, 'URI.2=spiffe://example.org/reports'), 'read', refused],
  ];
  const stranger = other.issue('/CN=any', [billing]);
  for (const [version, file] of Object.entries(versions)) {
    const server = await startApplication(file, { FOLDER: folder });
    const ask = async (text: string, identity: Identity | undefined) => {
      const client = await connect(server.address, {
        tls: { ca: authority.cert, servername: 'localhost', ...identity },
      });
      try {
        return (await client.request(text)).text;
      } finally {
        client.abort();
      }
    };
    for (const [identity, text, answer] of cases) expect(await ask(text, identity), version).toBe(answer);
    for (const identity of [stranger, undefined]) await expect(ask('read', identity), version).rejects.toThrow();
    expect(await ask('write 2', cases[0]?.[0]), version).toBe('write: done');
    await server.saw(/log: APP_FORBIDDEN: spiffe:\/\/example\.org\/reports may not write/);
  }
});
