/** Real clients talk to real servers through a proxy that knows their protocol. */

import { expect, onTestFinished } from 'vitest';
import { formatBytes } from '../../../src/framing/escapes.ts';
import type { ProtocolName } from '../../../src/framing/protocols/protocols.ts';
import { type Address, type Batch, proxy, serve } from '../../../src/index.ts';
import { digest, relay } from '../../support/relay.ts';
import { ftp } from './servers/ftp.ts';
import { lsp } from './servers/lsp.ts';
import { memcached } from './servers/memcached.ts';
import { mllp } from './servers/mllp.ts';
import { modbus } from './servers/modbus.ts';
import { mosquitto } from './servers/mosquitto.ts';
import { mysql } from './servers/mysql.ts';
import { nsd } from './servers/nsd.ts';
import { pop3 } from './servers/pop3.ts';
import { postgres } from './servers/postgres.ts';
import { redis } from './servers/redis.ts';
import { rsyslog } from './servers/rsyslog.ts';
import type { ProtocolProgram } from './servers/server.ts';
import { smtp } from './servers/smtp.ts';

interface Case {
  readonly program: ProtocolProgram;
  readonly wire: { readonly protocol: ProtocolName };
  /** Messages that pass, in each direction: header, a bar, payload, with escapes. */
  readonly request: RegExp;
  readonly reply: RegExp;
}

const cases: readonly Case[] = [
  {
    program: smtp,
    wire: { protocol: 'smtp' },
    request: /^\|Subject: second\\r\\n\\r\\n\.a dot at the beginning\\r\\n\\r\\n220 not a reply\\r\\nDATA$/,
    reply: /^\|250-.*\\r\\n250-.*\\r\\n250 HELP$/,
  },
  {
    program: ftp,
    wire: { protocol: 'ftp' },
    request: /^\|CWD nosuch$/,
    reply: /^\|211-Features supported:\\r\\n.*\\r\\n211 End FEAT\.$/,
  },
  {
    program: pop3,
    wire: { protocol: 'pop3' },
    request: /^\|RETR 1$/,
    reply: /^\|\+OK \d+ octets\\r\\nFrom: .*\\r\\n\.\.dot line\\r\\n-ERR not a reply\\r\\n\+OK\\r\\n\.$/,
  },
  {
    program: memcached,
    wire: { protocol: 'memcached' },
    request: /^\|set k 0 0 13\\r\\nEND\\r\\nSTORED\\r\\n$/,
    reply: /^\|VALUE k 0 13\\r\\nEND\\r\\nSTORED\\r\\n\\r\\nEND$/,
  },
  { program: postgres, wire: { protocol: 'postgres' }, request: /^Q\|select \* from nosuch;\\0$/, reply: /^\|N$/ },
  {
    program: mosquitto,
    wire: { protocol: 'mqtt' },
    request: /^2\|\\0\\x03a\/b\\0\\x01\\01{20000}$/,
    reply: /^2\|\\0\\x03a\/b\\0\\x031{20000}$/,
  },
  {
    program: mysql,
    wire: { protocol: 'mysql' },
    request: /^\\0\|\\x03create table test\.t\(a int, b text\)$/,
    reply: /^\\x06\|\\x012\\xfc,\\x01y{300}$/,
  },
  { program: nsd, wire: { protocol: 'dns' }, request: /\\x03www\\x07example\\0/, reply: /\\xc0\\0\\x02\\n/ },
  {
    program: modbus,
    wire: { protocol: 'modbus' },
    request: /\\0\\0\\x11\|\\x03\\0c\\0\\x03$/,
    reply: /\\0\\0\\x11\|\\x03\\x06\\0d\\0e\\0f$/,
  },
  {
    program: redis,
    wire: { protocol: 'redis' },
    request: /^\|\*3\\r\\n\$3\\r\\nSET\\r\\n\$8\\r\\ngreeting\\r\\n\$14\\r\\nhello\\0\\xff\\r\\nworld\\r\\n$/,
    reply: /^\|\*3\\r\\n:1\\r\\n\*2\\r\\n:2\\r\\n\*2\\r\\n:3\\r\\n\*0\\r\\n_\\r\\n$/,
  },
  {
    program: lsp,
    wire: { protocol: 'lsp' },
    request: /^Content-Type: application\/vscode-jsonrpc; charset=utf8\\r\\n\|\{.*"textDocument.*didOpen"/,
    reply: /^Content-Type: application\/vscode-jsonrpc; charset=utf8\\r\\n\|\{"jsonrpc":"2.0","id":2,/,
  },
  {
    program: mllp,
    wire: { protocol: 'mllp' },
    request: /^\|MSH.*\|C2\|.*\\r$/,
    reply: /^\|MSH.*MSA\|AA\|C2\\r$/,
  },
];

/** Header, a bar, payload, with escapes. */
const text = ({ header, bytes }: { header: Uint8Array; bytes: Uint8Array }) =>
  `${formatBytes(header)}|${formatBytes(bytes)}`.replaceAll('\\x20', ' ');

/** What a proxy has seen of one direction of one connection. */
interface Seen {
  readonly messages: string[];
  readonly frames: Buffer[];
}

function note({ messages, frames }: Seen, batch: Batch): void {
  for (const message of batch) messages.push(text(message));
  for (const slice of batch.slices) frames.push(Buffer.from(slice));
}

/** A proxy between two relays: client, relay, proxy, relay, server. The relays cut what the proxy receives into small pieces. */
async function proxied(port: number, wire: Case['wire']) {
  const behind = await relay(port, { repliedPiece: 3 });
  const seen: { sent: Seen; received: Seen }[] = [];
  const observe = () => {
    const own = { sent: { messages: [], frames: [] }, received: { messages: [], frames: [] } };
    seen.push(own);
    return { sent: (batch: Batch) => note(own.sent, batch), received: (batch: Batch) => note(own.received, batch) };
  };
  const handler = proxy(behind.port, { observe });
  const server = await serve({ ...wire, listen: 'tcp://127.0.0.1:0', encoding: 'binary', handler });
  onTestFinished(() => server.close());
  const before = await relay(portOf(server.addresses[0]), { sentPiece: 3 });
  return { before, behind, seen };
}

function portOf(address: Address | undefined): number {
  return address && 'port' in address ? address.port : 0;
}

rsyslog.test('logger through a proxy to rsyslogd: lines and counted messages', async () => {
  const port = await rsyslog.start();
  const { before, behind, seen } = await proxied(port, { protocol: 'syslog' });
  expect(await rsyslog.ask(before.port)).toMatch(rsyslog.answer);
  expect(await rsyslog.written(port, 3)).toEqual(['app: by line', 'app: first, grüße', 'app: second']);
  expect(digest(behind.connections())).toEqual(digest(before.connections()));
  expect(seen.map(({ sent }) => sent.messages.length)).toEqual([2, 1]);
});

for (const { program, wire, request, reply } of cases) {
  program.test(`${program.name} through a proxy: the same bytes, as messages`, async () => {
    const port = await program.start();
    const { before, behind, seen } = await proxied(port, wire);
    expect(await program.ask(before.port)).toMatch(program.answer);

    // The last message of a client may still be on its way when the client has ended.
    await expect.poll(() => digest(behind.connections())).toEqual(digest(before.connections()));
    const frames = seen.map(({ sent, received }) => ({
      sent: Buffer.concat(sent.frames),
      replied: Buffer.concat(received.frames),
    }));
    expect(digest(frames)).toEqual(digest(before.connections()));
    expect(seen.flatMap(({ sent }) => sent.messages).filter((it) => request.test(it))).not.toEqual([]);
    expect(seen.flatMap(({ received }) => received.messages).filter((it) => reply.test(it))).not.toEqual([]);
  });
}
