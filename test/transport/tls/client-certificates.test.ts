/** A client whose certificate a server refuses gets an error that says so, also if its own handshake was complete. */
import { expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../../src/address.ts';
import { selfSignedCertificate } from '../../../src/cli/serve/tls/self-signed.ts';
import { connect } from '../../../src/client/connect.ts';
import type { YodelError } from '../../../src/errors.ts';
import { serve } from '../../../src/server/server.ts';
import { check } from '../../../src/transcript/check.ts';
import { parseTranscript } from '../../../src/transcript/parse.ts';
import type { TlsOptions } from '../../../src/transport/transport.ts';

const day = 86_400_000;
const own = selfSignedCertificate(['localhost'], day);
const ada = selfSignedCertificate(['ada'], day);
const stranger = selfSignedCertificate(['stranger'], day);
const expired = selfSignedCertificate(['expired'], -1000);

/** A server that trusts ada and the expired certificate. */
async function serveMutual(scheme: string, proxyProtocol: string[]) {
  const refused = Promise.withResolvers<YodelError>();
  const server = await serve({
    listen: `${scheme}://127.0.0.1:0`,
    tls: { ...own, clientCa: ada.cert + expired.cert },
    proxyProtocol,
    telemetry: { refused: (_, error) => refused.resolve(error) },
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return { address: String(server.addresses[0]), refused: refused.promise };
}

/** Sends a message. Rejects where a client notices that it is refused: while it connects, or later. */
async function request(address: string, options: TlsOptions): Promise<string> {
  const client = await connect(address, { tls: { insecure: true, ...options } });
  onTestFinished(() => client.abort());
  return (await client.request('hello')).text;
}

const required = /the server sent the TLS alert "certificate required".*--cert and --key/;
const notAccepted = /does not accept this client's certificate \(--cert\)/;
/** With a load balancer the sockets are those of `node:tls` on both runtimes. */
const listeners = [
  ['tls', []],
  ['wss', []],
  ['tls', ['192.0.2.1']],
] as const;
const clients = [
  ['none', {}, required, 'it sent no certificate'],
  ['an untrusted one', stranger, notAccepted, 'its certificate is not signed by a trusted authority'],
  ['an expired one', expired, notAccepted, 'its certificate has expired'],
] as const;

/** Bun's `node:tls` ends such connections in its own way: there a client sees an end. */
const seesEnd = (proxies: readonly string[], options: TlsOptions) =>
  process.versions.bun !== undefined && proxies.length > 0 && options.cert !== undefined;

test.each(listeners.flatMap(([scheme, proxies]) => clients.map((client) => [...client, scheme, proxies] as const)))(
  'a client certificate is required, and it has %s',
  async (_, options, clientError, reason, scheme, proxies) => {
    const { address, refused } = await serveMutual(scheme, [...proxies]);
    const error = seesEnd(proxies, options)
      ? { code: 'YODEL_CONNECTION_CLOSED' }
      : { code: 'YODEL_TLS', message: expect.stringMatching(clientError) };
    await expect(request(address, options)).rejects.toMatchObject(error);
    expect((await refused).message).toBe(`the TLS handshake with the client failed: ${reason}`);
  },
);

test.each(listeners)('a client with a trusted certificate is served over %s', async (scheme, proxies) => {
  const { address } = await serveMutual(scheme, [...proxies]);
  expect(await request(address, ada)).toBe('hello');
});

test('a transcript that is checked says so, too, whenever it is noticed', async () => {
  const { address } = await serveMutual('tls', []);
  const { differences } = await check(parseTranscript('> hello\n< hello\n', 'a'), {
    address: parseAddress(address),
    timeoutMs: 10_000,
    tls: { insecure: true },
  });
  expect(differences.map(({ reason }) => reason).join()).toMatch(required);
});
