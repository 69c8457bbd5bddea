/** The library's client asks real servers, in their protocols. */

import { expect, onTestFinished } from 'vitest';
import type { FramingText } from '../../../src/framing/notation.ts';
import type { ProtocolName } from '../../../src/framing/protocols/protocols.ts';
import { type Client, connect, Message } from '../../../src/index.ts';
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
import { startServer } from './servers/server.ts';
import { smtp } from './servers/smtp.ts';

async function connectTo(port: number, wire: { protocol: ProtocolName } | { framing: FramingText }): Promise<Client> {
  const client = await connect(port, { ...wire, encoding: 'binary', requestTimeout: 20_000 });
  onTestFinished(() => client.abort());
  return client;
}

/** A message of bytes in hex, with a header. */
function packet(header: string, payload: string): Message {
  return Message.of(Buffer.from(payload, 'hex'), { header: Buffer.from(header, 'hex') });
}

const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');
/** Header and payload. */
const both = (message: Message | undefined) => [hex(message?.header), hex(message?.bytes)];

/** The next message that is not the answer to a request, such as a greeting. */
async function next(messages: AsyncIterator<Message>): Promise<Message | undefined> {
  return (await messages.next()).value;
}

async function textOf(reply: Promise<Message>): Promise<string> {
  return (await reply).text;
}

nsd.test('nsd answers DNS queries', async () => {
  const client = await connectTo(await nsd.start(), { protocol: 'dns' });
  const query = (id: string) =>
    Buffer.from(`${id}000000010000000000000377777707${hex(Buffer.from('example'))}0000010001`, 'hex');
  const replies = await Promise.all(['0001', 'beef'].map((id) => client.request(query(id))));
  expect(replies.map(({ bytes }) => hex(bytes.subarray(0, 2)))).toEqual(['0001', 'beef']);
  for (const { bytes } of replies) expect(hex(bytes)).toMatch(/0004c000020a/);
});

modbus.test('a Modbus server answers with the ids of the request', async () => {
  const client = await connectTo(await modbus.start(), { protocol: 'modbus' });
  const replies = await Promise.all([
    client.request(packet('0001000011', '0300630003')),
    client.request(packet('abcd000002', '03000a0001')),
    client.request(packet('0003000001', '03ffff0001')),
  ]);
  expect(replies.map(both)).toEqual([
    ['0001000011', '0306006400650066'],
    ['abcd000002', '0302000b'],
    ['0003000001', '8302'],
  ]);
});

mosquitto.test('mosquitto delivers what the same client publishes', async () => {
  const client = await connectTo(await mosquitto.start(), { protocol: 'mqtt' });
  const messages = client[Symbol.asyncIterator]();
  expect(both(await client.request(packet('10', '00044d51545404020000000159')))).toEqual(['20', '0000']);
  expect(both(await client.request(packet('82', '00010003612f6200')))).toEqual(['90', '000100']);
  const payload = `0003612f62${'78'.repeat(70_000)}`;
  client.send(packet('30', payload));
  expect(both(await next(messages))).toEqual(['30', payload]);
  expect(both(await client.request(packet('c0', '')))).toEqual(['d0', '']);
});

postgres.test('PostgreSQL declines TLS with one byte, and answers a query', async () => {
  const client = await connectTo(await postgres.start(), { protocol: 'postgres' });
  const messages = client[Symbol.asyncIterator]();
  expect(both(await client.request(Buffer.from('04d2162f', 'hex')))).toEqual(['', hex(Buffer.from('N'))]);
  client.send(Buffer.from('\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1'));
  const typesUntilReady = async () => {
    const all: Message[] = [];
    for (;;) {
      const message = await next(messages);
      if (!message) throw new Error('the connection was closed');
      all.push(message.copy());
      if (Buffer.from(message.header).toString() === 'Z') return all;
    }
  };
  const start = await typesUntilReady();
  expect(both(start[0])).toEqual([hex(Buffer.from('R')), '00000000']);
  client.send(Message.of("select repeat('x', 300)\0", { header: Buffer.from('Q') }));
  const answer = await typesUntilReady();
  expect(answer.map(({ header }) => Buffer.from(header).toString()).join('')).toBe('TDCZ');
  expect(hex(answer[1]?.bytes)).toBe(`00010000012c${'78'.repeat(300)}`);
});

mysql.test('MariaDB numbers its packets', async () => {
  const client = await connectTo(await mysql.start(), { protocol: 'mysql' });
  const messages = client[Symbol.asyncIterator]();
  const greeting = await next(messages);
  expect(hex(greeting?.header)).toBe('00');
  expect(greeting?.text).toContain('-MariaDB');
  const login = `85a2080000000001210000000000000000000000000000000000000000000000${hex(Buffer.from('nobody'))}0000`;
  expect(both(await client.request(packet('01', login)))).toEqual(['02', '00000002000000']);
  client.send(Message.of("\x03select repeat('x', 300)", { header: Buffer.of(0) }));
  const answer: (string[] | undefined)[] = [];
  while (answer.length < 5) answer.push(both(await next(messages)));
  expect(answer.map((parts) => parts?.[0])).toEqual(['01', '02', '03', '04', '05']);
  expect(answer[3]?.[1]).toBe(`fc2c01${'78'.repeat(300)}`);
});

smtp.test('aiosmtpd receives a mail with the dots that its lines begin with', async () => {
  const { port, running } = await startServer((free) => [
    '/usr/bin/aiosmtpd',
    '--nosetuid',
    '--listen',
    `127.0.0.1:${free}`,
  ]);
  const client = await connectTo(port, { protocol: 'smtp' });
  expect((await next(client[Symbol.asyncIterator]()))?.text).toMatch(/^220 /);
  const replies = ['EHLO client.example', 'MAIL FROM:<a@client.example>', 'RCPT TO:<b@server.example>', 'DATA'].map(
    (command) => textOf(client.request(command)),
  );
  expect(await Promise.all(replies)).toEqual([
    expect.stringMatching(/^250-.*\r\n250 HELP$/s),
    '250 OK',
    '250 OK',
    expect.stringMatching(/^354 /),
  ]);
  expect(await textOf(client.request('Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nlast'))).toBe('250 OK');
  expect(await textOf(client.request('QUIT'))).toMatch(/^221 /);
  await running.saw(/Subject: dots\n(?:X-Peer: .*\n)?\n\.one\n\.\.two\n\.\nlast\n/);
});

ftp.test('an FTP server answers with several lines', async () => {
  const client = await connectTo(await ftp.start(), { protocol: 'ftp' });
  expect((await next(client[Symbol.asyncIterator]()))?.text).toMatch(/^220 /);
  expect(await textOf(client.request('FEAT'))).toMatch(/^211-Features supported:\r\n.*\r\n211 End FEAT\.$/s);
  expect(await textOf(client.request('NOOP'))).toMatch(/^(?:200|530) /);
});

pop3.test('Dovecot answers pipelined requests, some with several lines', async () => {
  const client = await connectTo(await pop3.start(), { protocol: 'pop3' });
  expect((await next(client[Symbol.asyncIterator]()))?.text).toMatch(/^\+OK /);
  const requests = ['USER me', 'PASS secret', 'LIST', 'LIST 1', 'RETR 1', 'RETR 9', 'QUIT'];
  const replies: string[] = [];
  // Dovecot takes pipelined requests only after the login.
  for (const request of requests.slice(0, 2)) replies.push(await textOf(client.request(request)));
  replies.push(...(await Promise.all(requests.slice(2).map((request) => textOf(client.request(request))))));
  expect(replies.map((reply) => reply.split('\r\n').length)).toEqual([1, 1, 3, 1, 8, 1, 1]);
  expect(replies[4]).toMatch(/\r\n\r\n\.\.dot line\r\n-ERR not a reply\r\n\+OK\r\n\.$/);
  expect(replies[5]).toMatch(/^-ERR /);
});

memcached.test('memcached stores and returns values that look like replies', async () => {
  const client = await connectTo(await memcached.start(), { protocol: 'memcached' });
  const requests = ['set k 0 0 13\r\nEND\r\nSTORED\r\n', 'get k', 'get nothing', 'incr n 1', 'nosuch'];
  expect(await Promise.all(requests.map((request) => textOf(client.request(request))))).toEqual([
    'STORED',
    'VALUE k 0 13\r\nEND\r\nSTORED\r\n\r\nEND',
    'END',
    'NOT_FOUND',
    'ERROR',
  ]);
});

redis.test('Redis answers with whole values, however deep', async () => {
  const client = await connectTo(await redis.start(), { protocol: 'redis' });
  const requests = [
    'HELLO 3',
    'SET k "a\\r\\nb"',
    'GET k',
    'EVAL "return {1,{2,{3,{}}},false}" 0',
    'HGETALL nothing',
    'NOSUCH',
  ];
  const replies = await Promise.all(requests.map((request) => textOf(client.request(request))));
  expect(replies[0]).toMatch(/^%7\r\n\$6\r\nserver\r\n\$5\r\nredis\r\n.*\*0\r\n$/s);
  expect(replies.slice(1)).toEqual([
    '+OK\r\n',
    '$4\r\na\r\nb\r\n',
    '*3\r\n:1\r\n*2\r\n:2\r\n*2\r\n:3\r\n*0\r\n_\r\n',
    '%0\r\n',
    expect.stringMatching(/^-ERR unknown command/),
  ]);
});

lsp.test('a language server answers, with its own header lines', async () => {
  const client = await connectTo(await lsp.start(), { protocol: 'lsp' });
  const params = { processId: null, rootUri: null, capabilities: {} };
  const reply = await client.request(JSON.stringify({ jsonrpc: '2.0', id: 'größer', method: 'initialize', params }));
  expect(Buffer.from(reply.header).toString()).toBe('Content-Type: application/vscode-jsonrpc; charset=utf8\r\n');
  expect(JSON.parse(reply.text)).toMatchObject({ id: 'größer', result: { capabilities: { hoverProvider: true } } });
});

mllp.test('an HL7 server acknowledges two results', async () => {
  const client = await connectTo(await mllp.start(), { protocol: 'mllp' });
  const result = (id: string) => `MSH|^~\\&|LAB|A|OE|B|200202150930||ORU^R01|${id}|P|2.4\rOBX|1|SN|1554-5||^182\r`;
  const replies = await Promise.all(['C1', 'C2'].map((id) => textOf(client.request(result(id)))));
  expect(replies).toEqual([expect.stringMatching(/\rMSA\|AA\|C1\r$/), expect.stringMatching(/\rMSA\|AA\|C2\r$/)]);
});
