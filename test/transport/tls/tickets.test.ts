/** What session tickets do: a client that comes back skips a part of the handshake. */
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import type { TlsAddress } from '../../../src/address.ts';
import { selfSignedCertificate } from '../../../src/cli/serve/tls/self-signed.ts';
import { type Server, serve } from '../../../src/server/server.ts';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { start } from '../../support/process/command.ts';
import { testWith } from '../../support/tools.ts';

const test = testWith('openssl', 'apt-get install openssl');
const own = selfSignedCertificate(['localhost'], 86_400_000);
const ada = selfSignedCertificate(['ada'], 86_400_000);

async function serveIt(clientCa?: string): Promise<Server> {
  const server = await serve({
    listen: 'tls://127.0.0.1:0',
    tls: { ...own, clientCa },
    handler: (_, { security }) => `hello ${security?.subject} ${security?.certificate?.names}`,
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return server;
}

/** What openssl prints of a connection with one message. */
async function sClient({ addresses }: Server, ...args: string[]): Promise<string> {
  const { port } = addresses[0] as TlsAddress;
  const client = start(['openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...args]);
  client.process.stdin?.write('who am I?\n');
  // It may end without a reply.
  await client.saw(/hello .*\n/).catch(() => undefined);
  client.process.stdin?.end();
  const { stdout, stderr } = await client.ended;
  return `${stdout}${stderr}`;
}

test.each(['-tls1_3', '-tls1_2'])(
  'a session is resumed, but not after the certificates were replaced: %s',
  async (version) => {
    const server = await serveIt();
    const session = join(temporaryFolder(), 'session.pem');
    expect(await sClient(server, version, '-sess_out', session)).toContain('New, TLSv1');
    expect(await sClient(server, version, '-sess_in', session)).toContain('Reused, TLSv1');
    await server.reload({ tls: own });
    expect(await sClient(server, version, '-sess_in', session)).toContain('New, TLSv1');
  },
);

test('a resumed session has the certificate of the first one, as long as that is valid', async () => {
  const server = await serveIt(ada.cert);
  const session = join(temporaryFolder(), 'session.pem');
  const files = ['-cert', temporaryFile('ada.pem', ada.cert), '-key', temporaryFile('ada.key', ada.key)];
  expect(await sClient(server, ...files, '-sess_out', session)).toContain('hello CN=ada ada');
  const resumed = await sClient(server, '-sess_in', session);
  expect(resumed).toContain('Reused, TLSv1.3');
  expect(resumed).toContain('hello CN=ada ada');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 86_400_000 });
  onTestFinished(() => void vi.useRealTimers());
  expect(await sClient(server, '-sess_in', session)).not.toContain('hello');
  expect(Object.fromEntries(server.counters.errors)).toEqual({ YODEL_TLS: 1 });
});
