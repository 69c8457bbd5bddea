/** STARTTLS in a handler. */

import { expect, onTestFinished, test } from 'vitest';
import type { SocketAddress } from '../../src/address.ts';
import { selfSignedCertificate } from '../../src/cli/serve/tls/self-signed.ts';
import type { ProtocolName } from '../../src/framing/protocols/protocols.ts';
import { serve } from '../../src/server/server.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import { check } from '../../src/transcript/check.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';

const tls = selfSignedCertificate(['localhost'], 86_400_000);

/** Grants STARTTLS, and otherwise says over what it was asked what. */
const handler: HandlerObject = {
  startsTls: true,
  async message({ text }, session) {
    if (text !== 'STARTTLS') return `${session.security?.protocol ?? 'plain'} ${text}`;
    session.send('go');
    await session.startTls(tls);
    return undefined;
  },
};

async function serveIt(
  given: HandlerObject = handler,
  protocol: ProtocolName | 'lines' = 'lines',
): Promise<SocketAddress> {
  const wire = protocol === 'lines' ? {} : { protocol };
  const server = await serve({ listen: '127.0.0.1:0', handler: given, ...wire });
  onTestFinished(() => server.close());
  return server.addresses[0] as SocketAddress;
}

async function differences(text: string, address: SocketAddress): Promise<string[]> {
  const result = await check(parseTranscript(text, 'a'), { address, timeoutMs: 2000, tls: { insecure: true } });
  return result.differences.map(({ line, reason }) => `${line} ${reason}`);
}

test('goes on over TLS, and what follows is encrypted', async () => {
  const text = '> a\n< plain a\n> STARTTLS\n< go\n@starttls\n> b\n< TLSv1.3 b\n> c\n< TLSv1.3 c\n@close\n@closed\n';
  expect(await differences(text, await serveIt())).toEqual([]);
});

test('the protocol begins anew, without a greeting', async () => {
  const smtp: HandlerObject = {
    startsTls: true,
    open: () => '220 hi',
    async message({ text }, session) {
      if (text === 'DATA') return '354 go ahead';
      if (text !== 'STARTTLS') return `250 ${text.replaceAll('\r\n', '/')}`;
      session.send('220 go');
      await session.startTls(tls);
      return undefined;
    },
  };
  const text = `@protocol smtp
< 220 hi
> STARTTLS
< 220 go
@starttls
> EHLO x
< 250 EHLO x
> DATA
< 354 go ahead
>\\ a\\r\\nb
< 250 a/b
`;
  expect(await differences(text, await serveIt(smtp, 'smtp'))).toEqual([]);
});

test('what a client sends in plain text after its request is refused', async () => {
  const address = await serveIt();
  const connection = await runtimeTransport.connect(address);
  let received = '';
  const closed = new Promise<void>((resolve) =>
    connection.start({
      onData: (chunk) => {
        received += Buffer.from(chunk).toString();
      },
      onEnd: () => connection.end(),
      onDrain: () => undefined,
      onClose: () => resolve(),
    }),
  );
  connection.write(Buffer.from('STARTTLS\ninjected\n'));
  await closed;
  expect(received).toMatch(/^go\nerror: /);
  expect(received).not.toContain('injected');
});

test('needs a handler that says so', async () => {
  const { startsTls: _, ...other } = handler;
  const text = '> STARTTLS\n< go\n< /^error: /\n';
  expect(await differences(text, await serveIt(other))).toEqual([]);
});
