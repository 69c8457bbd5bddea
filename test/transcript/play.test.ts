/** Playing the clients of a transcript against a server, and its server to clients. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { length } from '../../src/framing/counted/length.ts';
import type { ServeOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import { check } from '../../src/transcript/check.ts';
import { mockServer } from '../../src/transcript/mock/mock.ts';
import type { MockOptions } from '../../src/transcript/mock/options.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { updatedText } from '../../src/transcript/update.ts';
import { dial } from '../support/peer.ts';

async function listen(options: ServeOptions): Promise<Server> {
  const server = await serve({ listen: '127.0.0.1:0', lingerTimeout: 100, ...options });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return server;
}

/** Plays a transcript against a handler. */
async function play(text: string, handler: Handler, options: ServeOptions = {}) {
  const transcript = parseTranscript(text);
  const server = await listen({ handler, framing: transcript.framing, ...options });
  return await check(transcript, { address: server.addresses[0], timeoutMs: 500 });
}

describe('check', () => {
  it('reports no difference when every message is as expected', async () => {
    const result = await play('> a\n< a\n> b\n> c\n< b\n< /^[cd]$/\n', (message) => message);
    expect(result.differences).toEqual([]);
    expect(result.expected).toBe(3);
  });

  it('captures names in replies and sends their values', async () => {
    let tokens = 0;
    const handler: Handler = ({ text }) => (text === 'login' ? `token=${++tokens}` : text === 'use 1' ? 'good' : 'bad');
    expect((await play('> login\n< token={t}\n> use {t}\n< good\n', handler)).differences).toEqual([]);
  });

  it('reports a different message and continues', async () => {
    const { differences } = await play('> a\n< b\n> c\n< c\n', (message) => message);
    expect(differences).toEqual([
      {
        kind: 'replaced',
        line: 2,
        client: '',
        expected: '< b',
        actual: Buffer.from('a'),
        received: expect.anything(),
        reason: 'a different message',
      },
    ]);
  });

  it('reports a missing message and does not wait for those after it', async () => {
    const { differences } = await play('> a\n< a\n< b\n< c\n< d\n', () => undefined);
    expect(differences.map(({ line, reason }) => [line, reason])).toEqual([
      [2, 'no message within 500 ms'],
      [3, 'no message: the previous one is missing too'],
      [4, 'no message: the previous one is missing too'],
      [5, 'no message: the previous one is missing too'],
    ]);
  });

  it('reports unexpected messages at the end', async () => {
    const { differences } = await play('> a\n< a\n', (message) => [message, 'more']);
    expect(differences).toMatchObject([{ line: 2, expected: undefined, actual: Buffer.from('more') }]);
  });

  it('reports that the server ended too early', async () => {
    const handler: Handler = (_, session) => session.close();
    const { differences } = await play('> a\n< a\n', handler);
    expect(differences).toMatchObject([{ line: 2, reason: 'the server ended the connection' }]);
  });

  it('accepts the end of the server where it is expected, and reports a missing end', async () => {
    expect((await play('> a\n< a\n@closed\n', (m) => m, { maxMessages: 1 })).differences).toEqual([]);
    const { differences } = await play('> a\n< a\n@closed\n', (message) => message);
    expect(differences).toMatchObject([{ line: 3, reason: 'the server did not end the connection within 500 ms' }]);
  });

  it('waits in silence, and reports a message that breaks it', async () => {
    expect((await play('@silence 50ms\n> a\n< a\n', (message) => message)).differences).toEqual([]);
    const { differences } = await play('@silence 50ms\n', { open: () => 'hello' });
    expect(differences).toMatchObject([{ line: 1, actual: Buffer.from('hello') }]);
  });

  it('plays several clients, each with a connection of its own', async () => {
    const members = new Set<import('../../src/session/public-session.ts').Session>();
    const chat: Handler = {
      open: (session) => void members.add(session),
      message(message, from) {
        for (const member of members) if (member !== from) member.send(message);
      },
    };
    const text = '@connect Ada\n@connect Bob\n@wait 50ms\nAda> hello\nBob< hello\nBob> hi\nAda< hi\n';
    expect((await play(text, chat)).differences).toEqual([]);
  });

  it('uses any framing, and sends lines with the given ending', async () => {
    expect((await play('@framing length:2\n>x 00 0a ff\n<x 00 0a ff\n', (message) => message)).differences).toEqual([]);
    const ends: Handler = ({ frame }) => JSON.stringify(Buffer.from(frame).toString());
    const text = '> a\n<\\ "a\\\\n"\n@ending crlf\n> a\n<\\ "a\\\\r\\\\n"\n@ending none\n> a\n@close\n<\\ "a"\n';
    expect((await play(text, ends)).differences).toEqual([]);
  });

  it.each([
    ['> /a/', 1, 3, /a client cannot send a pattern/],
    ['> {name}', 1, 3, /\{name\} has no value yet/],
    ['> {name}\n< {name}', 1, 3, /\{name\} has no value yet/],
  ])('%j cannot be played by a client', async (text, line, column, expectedMessage) => {
    await expect(check(parseTranscript(text))).rejects.toMatchObject({
      line,
      column,
      message: expect.stringMatching(expectedMessage),
    });
  });
});

describe('updating a transcript', () => {
  it('replaces what the server answered differently and keeps the rest', async () => {
    const text = '# hello\n> a\n< old\n< /c/\n\n> b\n< B\n< gone\n';
    const answers: Record<string, string[]> = { a: ['new', 'abc'], b: ['B'] };
    const handler: Handler = (message) => answers[message.text] ?? [];
    const result = await play(text, handler);
    const updated = updatedText(result);
    expect(updated).toBe('# hello\n> a\n< new\n< /c/\n\n> b\n< B\n');
    expect((await play(updated, handler)).differences).toEqual([]);
  });

  it('adds unexpected messages', async () => {
    const handler: Handler = (message) => [message, 'one more', 'and \x1b'];
    const updated = updatedText(await play('> a\n< a\n', handler));
    expect(updated).toBe('> a\n< a\n< one more\n<\\ and \\x1b\n');
    expect((await play(updated, handler)).differences).toEqual([]);
  });
});

/** A server that plays a transcript. */
async function mock(text: string, options: MockOptions = {}): Promise<Server> {
  const transcript = parseTranscript(text, 'talk');
  return await listen({ handler: mockServer(transcript, options), framing: transcript.framing });
}

function portOf(server: Server): number {
  const [address] = server.addresses;
  return address?.scheme === 'tcp' ? address.port : 0;
}

describe('mockServer', () => {
  it('plays from the start for each client', async () => {
    const server = await mock('< welcome\n> who {name}\n< hello {name}\n@closed\n');
    for (const name of ['Ada', 'Bob']) {
      const peer = await dial(portOf(server));
      await peer.send(`who ${name}\n`);
      expect((await peer.ended).toString()).toBe(`welcome\nhello ${name}\n`);
    }
  });

  it('answers everything, even after the client has ended its side', async () => {
    const server = await mock('> a\n@wait 30ms\n< A\n> b\n@wait 30ms\n< B\n');
    const peer = await dial(portOf(server));
    await peer.send('a\nb\n');
    peer.end();
    expect((await peer.ended).toString()).toBe('A\nB\n');
  });

  it('reports a deviation from the transcript to the client and to the caller', async () => {
    const reported: string[] = [];
    const server = await mock('> a\n< A\n', { unexpected: (_, error) => void reported.push(error.message) });
    const peer = await dial(portOf(server));
    await peer.send('b\n');
    expect((await peer.ended).toString()).toBe('error: talk:1: expected > a, received > b\n');
    const other = await dial(portOf(server));
    await other.send('a\nmore\n');
    expect((await other.ended).toString()).toBe('A\nerror: talk: expected no more messages, received > more\n');
    expect(reported).toEqual([
      'talk:1: expected > a, received > b',
      'talk: expected no more messages, received > more',
    ]);
  });

  it('lenient, accepts messages in any order, any number of times', async () => {
    const server = await mock('> a\n< A\n> b\n< B1\n< B2\n', { lenient: true });
    const peer = await dial(portOf(server));
    await peer.send('b\na\nwhat?\na\nb\n');
    peer.end();
    expect((await peer.ended).toString()).toBe('B1\nB2\nA\nA\nB1\nB2\n');
  });

  it('lenient, a repeated message captures its names again', async () => {
    const server = await mock('> login {name}\n< hello {name}\n> who\n< {name}\n', { lenient: true });
    const peer = await dial(portOf(server));
    await peer.send('login Ada\nlogin Bob\nwho\nlogin Bob\n');
    peer.end();
    expect((await peer.ended).toString()).toBe('hello Ada\nhello Bob\nBob\nhello Bob\n');
  });

  it('lenient, answers messages received during a pause after the pause', async () => {
    const server = await mock('A> a\n@wait 50ms\nA< A\nB> b\nB< B\n', { lenient: true });
    const [a, b] = [await dial(portOf(server)), await dial(portOf(server))];
    await a.send('a\n');
    await b.send('b\n');
    a.end();
    b.end();
    expect((await a.ended).toString()).toBe('A\n');
    expect((await b.ended).toString()).toBe('B\n');
  });

  it('gives the parts of several clients to connections in turn', async () => {
    const server = await mock('A> hello\nB< A says hello\nB> bye\nA< B says bye\n');
    for (let round = 0; round < 2; round++) {
      const [a, b] = [await dial(portOf(server)), await dial(portOf(server))];
      await a.send('hello\n');
      await b.saw(/^A says hello\n/);
      await b.send('bye\n');
      await a.saw(/^B says bye\n/);
      a.end();
      b.end();
      await Promise.all([a.ended, b.ended]);
    }
  });

  it('uses the line endings of the transcript', async () => {
    const server = await mock('@ending crlf\n> a\n< A\n@ending none\n< rest\n@closed\n');
    const peer = await dial(portOf(server));
    await peer.send('a\n');
    expect((await peer.ended).toString()).toBe('A\r\nrest');
  });

  it('uses other framings', async () => {
    const server = await mock('@framing length:2\n> ask\n<x 00 01\n');
    const client = await connect(server.addresses[0], { framing: length({ bytes: 2 }) });
    expect(Buffer.from((await client.request('ask')).bytes).toString('hex')).toBe('0001');
    await client.close();
  });

  it.each([
    ['< /a/', /a server cannot send a pattern/],
    ['> a\n< {name}', /\{name\} has no value yet: no earlier line of a client captures it/],
  ])('%j cannot be played by a server', (text, expectedMessage) => {
    expect(() => mockServer(parseTranscript(text))).toThrow(expectedMessage);
  });
});

it('a transcript checked against a mock of itself shows no difference', async () => {
  const text = '< hello\n> a {x}\n< got {x}\n@ending crlf\n> b\n<\\ \\x1b[0m\n@close\n@closed\n';
  const server = await mock(text);
  // A client's names come from earlier lines of the server; here there are none, so the value is literal.
  const played = parseTranscript(text.replace('> a {x}', '> a 5'));
  expect((await check(played, { address: server.addresses[0], timeoutMs: 500 })).differences).toEqual([]);
});

describe('check fails for', () => {
  const reasons = async (text: string, handler: Handler, options?: ServeOptions) =>
    (await play(text, handler, options)).differences.map(({ line, reason }) => `${line}: ${reason}`);

  it('a message cut off at the end', async () => {
    const half = (text: string): Handler => ({
      message: (_, session) => {
        session.write(Buffer.from(text, 'latin1'));
        session.close();
      },
    });
    expect(await reasons('@framing length:4\n> hi\n< hi\n@closed\n', half('\0\0\0\x02hi\0\0\0c\x01'))).toEqual([
      expect.stringMatching(/^4: the connection broke: /),
    ]);
    const unfinished: Handler = { message: (_, session) => void session.write(Buffer.from('hi\nextra')) };
    expect(await reasons('> hi\n< hi\n', unfinished)).toEqual(['2: an unexpected message']);
  });

  it('a line that is not sent because a name has no value or a value that cannot be encoded', async () => {
    const echo: Handler = (message) => message;
    expect(await reasons('> a\n< /^a(?<x>b)?/\n> say {x}\n', echo)).toEqual(['3: not sent: {x} has no value']);
    const [reason] = await reasons('@framing length:2\n> a\n< {x}\n> {x}{x}{x}\n', () => 'x'.repeat(60_000));
    expect(reason).toMatch(/^4: not sent: /);
  });

  it('a server that keeps sending where it should end', async () => {
    const talker: Handler = {
      open: (session) => {
        const timer = setInterval(() => session.send('tick'), 20);
        session.signal.addEventListener('abort', () => clearInterval(timer));
      },
    };
    const found = await reasons('> x\n@closed\n', talker);
    expect(found).toContain('2: the server did not end the connection within 500 ms');
  });
});

it.each([
  ['check', (text: string) => check(parseTranscript(text, 'talk'))],
  ['mockServer', async (text: string) => mockServer(parseTranscript(text.replaceAll('>', '<'), 'talk'))],
])('%s refuses in advance what can never be sent', async (_, use) => {
  const text = '# one\n>\\ x\\ny\n';
  await expect(async () => await use(text)).rejects.toMatchObject({
    code: 'YODEL_INVALID_TRANSCRIPT',
    message: expect.stringMatching(/^talk:2:\d+: .*line feed/),
  });
});

it('a mock server uses the framing of its server, whatever the file says', async () => {
  const server = await listen({ handler: mockServer(parseTranscript('< welcome\n')), framing: 'length:2' });
  const peer = await dial((server.addresses[0] as { port: number }).port);
  expect((await peer.sawBytes(9)).toString('latin1')).toBe('\0\x07welcome');
});

describe('the updated text', () => {
  const update = async (text: string, handler: Handler) => updatedText(await play(text, handler));

  it('puts messages received after the end of the client after @close', async () => {
    const text = '> hi\n< hi\n@close\n';
    const bye: Handler = { message: (message) => message, end: (session) => void session.send('bye') };
    const updated = await update(text, bye);
    expect(updated).toBe('> hi\n< hi\n@close\n< bye\n');
    expect((await play(updated, bye)).differences).toEqual([]);
  });
});
