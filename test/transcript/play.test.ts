/** The two parts of a transcript: clients that are played against a server, and a server that is played to clients. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { length } from '../../src/framing/length.ts';
import { type ServeOptions, type Server, serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import { check } from '../../src/transcript/check.ts';
import { type MockOptions, mockServer } from '../../src/transcript/mock.ts';
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
  it('finds nothing where all comes as expected', async () => {
    const result = await play('> a\n< a\n> b\n> c\n< b\n< /^[cd]$/\n', (message) => message);
    expect(result.differences).toEqual([]);
    expect(result.expected).toBe(3);
  });

  it('takes names out of what comes, for what is sent', async () => {
    let tokens = 0;
    const handler: Handler = ({ text }) => (text === 'login' ? `token=${++tokens}` : text === 'use 1' ? 'good' : 'bad');
    expect((await play('> login\n< token={t}\n> use {t}\n< good\n', handler)).differences).toEqual([]);
  });

  it('tells what came in place of what was expected, and goes on', async () => {
    const { differences } = await play('> a\n< b\n> c\n< c\n', (message) => message);
    expect(differences).toEqual([
      { line: 2, client: '', expected: '< b', actual: Buffer.from('a'), reason: 'another message' },
    ]);
  });

  it('tells what did not come, and does not wait for what should have come behind it', async () => {
    const { differences, elapsedMs } = await play('> a\n< a\n< b\n< c\n< d\n', () => undefined);
    expect(differences.map(({ line, reason }) => [line, reason])).toEqual([
      [2, 'no message within 500 ms'],
      [3, 'no message: the one before did not come either'],
      [4, 'no message: the one before did not come either'],
      [5, 'no message: the one before did not come either'],
    ]);
    expect(elapsedMs).toBeLessThan(4 * 500);
  });

  it('tells what comes at the end and is too much', async () => {
    const { differences } = await play('> a\n< a\n', (message) => [message, 'more']);
    expect(differences).toMatchObject([{ line: 2, expected: undefined, actual: Buffer.from('more') }]);
  });

  it('tells when the server ends too early', async () => {
    const handler: Handler = (_, session) => session.close();
    const { differences } = await play('> a\n< a\n', handler);
    expect(differences).toMatchObject([{ line: 2, reason: 'the server ended the connection' }]);
  });

  it('takes the end of the server where it is expected, and tells where it does not come', async () => {
    expect((await play('> a\n< a\n@closed\n', (m) => m, { maxMessages: 1 })).differences).toEqual([]);
    const { differences } = await play('> a\n< a\n@closed\n', (message) => message);
    expect(differences).toMatchObject([{ line: 3, reason: 'the server did not end within 500 ms' }]);
  });

  it('keeps silence, and tells when it is broken', async () => {
    expect((await play('@silence 50ms\n> a\n< a\n', (message) => message)).differences).toEqual([]);
    const { differences } = await play('@silence 50ms\n', { open: () => 'hello' });
    expect(differences).toMatchObject([{ line: 1, actual: Buffer.from('hello') }]);
  });

  it('plays several clients, each with a connection of its own', async () => {
    const members = new Set<import('../../src/session/handler.ts').Session>();
    const chat: Handler = {
      open: (session) => void members.add(session),
      message(message, from) {
        for (const member of members) if (member !== from) member.send(message);
      },
    };
    const text = '@connect Ada\n@connect Bob\n@wait 50ms\nAda> hello\nBob< hello\nBob> hi\nAda< hi\n';
    expect((await play(text, chat)).differences).toEqual([]);
  });

  it('speaks any framing, and sends lines with the end that it says', async () => {
    expect((await play('@framing length:2\n>x 00 0a ff\n<x 00 0a ff\n', (message) => message)).differences).toEqual([]);
    const ends: Handler = ({ frame }) => JSON.stringify(Buffer.from(frame).toString());
    const text = '> a\n<\\ "a\\\\n"\n@ending crlf\n> a\n<\\ "a\\\\r\\\\n"\n@ending none\n> a\n@close\n<\\ "a"\n';
    expect((await play(text, ends)).differences).toEqual([]);
  });

  it.each([
    ['> /a/', 1, 3, /a client cannot send a pattern/],
    ['> {name}', 1, 3, /\{name\} stands for nothing yet/],
    ['> {name}\n< {name}', 1, 3, /\{name\} stands for nothing yet/],
  ])('%j cannot be played by a client', async (text, line, column, says) => {
    await expect(check(parseTranscript(text))).rejects.toMatchObject({
      line,
      column,
      message: expect.stringMatching(says),
    });
  });
});

describe('what is rewritten', () => {
  it('is as the server answers, with all else as it was', async () => {
    const text = '# hello\n> a\n< old\n< /c/\n\n> b\n< B\n< gone\n';
    const answers: Record<string, string[]> = { a: ['new', 'abc'], b: ['B'] };
    const handler: Handler = (message) => answers[message.text] ?? [];
    const result = await play(text, handler);
    const updated = updatedText(result);
    expect(updated).toBe('# hello\n> a\n< new\n< /c/\n\n> b\n< B\n');
    expect((await play(updated, handler)).differences).toEqual([]);
  });

  it('has what was too much', async () => {
    const handler: Handler = (message) => [message, 'one more', 'and \x1b'];
    const updated = updatedText(await play('> a\n< a\n', handler));
    expect(updated).toBe('> a\n< a\n< one more\n<\\ and \\x1b\n');
    expect((await play(updated, handler)).differences).toEqual([]);
  });
});

/** A server that is played from a transcript. */
async function mock(text: string, options: MockOptions = {}): Promise<Server> {
  const transcript = parseTranscript(text, 'talk');
  return await listen({ handler: mockServer(transcript, options), framing: transcript.framing });
}

function portOf(server: Server): number {
  const [address] = server.addresses;
  return address?.scheme === 'tcp' ? address.port : 0;
}

describe('mockServer', () => {
  it('plays its part to each client from the beginning', async () => {
    const server = await mock('< welcome\n> who {name}\n< hello {name}\n@closed\n');
    for (const name of ['Ada', 'Bob']) {
      const peer = await dial(portOf(server));
      await peer.send(`who ${name}\n`);
      expect((await peer.ended).toString()).toBe(`welcome\nhello ${name}\n`);
    }
  });

  it('answers all of it, though the client has ended its side before', async () => {
    const server = await mock('> a\n@wait 30ms\n< A\n> b\n@wait 30ms\n< B\n');
    const peer = await dial(portOf(server));
    await peer.send('a\nb\n');
    peer.end();
    expect((await peer.ended).toString()).toBe('A\nB\n');
  });

  it('tells a client that leaves its part, and the one who serves', async () => {
    const told: string[] = [];
    const server = await mock('> a\n< A\n', { unexpected: (_, error) => void told.push(error.message) });
    const peer = await dial(portOf(server));
    await peer.send('b\n');
    expect((await peer.ended).toString()).toBe('error: talk:1 has > a, and not > b\n');
    const other = await dial(portOf(server));
    await other.send('a\nmore\n');
    expect((await other.ended).toString()).toBe('A\nerror: talk is at its end, and not > more\n');
    expect(told).toEqual(['talk:1 has > a, and not > b', 'talk is at its end, and not > more']);
  });

  it('lenient, it takes lines in any order, and again', async () => {
    const server = await mock('> a\n< A\n> b\n< B1\n< B2\n', { lenient: true });
    const peer = await dial(portOf(server));
    await peer.send('b\na\nwhat?\na\nb\n');
    peer.end();
    expect((await peer.ended).toString()).toBe('B1\nB2\nA\nA\nB1\nB2\n');
  });

  it('lenient, a line that is said again gives its names anew', async () => {
    const server = await mock('> login {name}\n< hello {name}\n> who\n< {name}\n', { lenient: true });
    const peer = await dial(portOf(server));
    await peer.send('login Ada\nlogin Bob\nwho\nlogin Bob\n');
    peer.end();
    expect((await peer.ended).toString()).toBe('hello Ada\nhello Bob\nBob\nhello Bob\n');
  });

  it('lenient, what comes in a pause is answered behind what the pause holds back', async () => {
    const server = await mock('A> a\n@wait 50ms\nA< A\nB> b\nB< B\n', { lenient: true });
    const [a, b] = [await dial(portOf(server)), await dial(portOf(server))];
    await a.send('a\n');
    await b.send('b\n');
    a.end();
    b.end();
    expect((await a.ended).toString()).toBe('A\n');
    expect((await b.ended).toString()).toBe('B\n');
  });

  it('gives the parts of several clients to those who come, in turn', async () => {
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

  it('ends its lines as the transcript says', async () => {
    const server = await mock('@ending crlf\n> a\n< A\n@ending none\n< rest\n@closed\n');
    const peer = await dial(portOf(server));
    await peer.send('a\n');
    expect((await peer.ended).toString()).toBe('A\r\nrest');
  });

  it('speaks other framings', async () => {
    const server = await mock('@framing length:2\n> ask\n<x 00 01\n');
    const client = await connect(server.addresses[0], { framing: length({ bytes: 2 }) });
    expect(Buffer.from((await client.request('ask')).bytes).toString('hex')).toBe('0001');
    await client.close();
  });

  it.each([
    ['< /a/', /a server cannot send a pattern/],
    ['> a\n< {name}', /\{name\} stands for nothing yet: no line of a client before has it/],
  ])('%j cannot be played by a server', (text, says) => {
    expect(() => mockServer(parseTranscript(text))).toThrow(says);
  });
});

it('what is served from a transcript, the same transcript finds nothing to say about', async () => {
  const text = '< hello\n> a {x}\n< got {x}\n@ending crlf\n> b\n<\\ \\x1b[0m\n@close\n@closed\n';
  const server = await mock(text);
  // A client knows its names from lines before: here it has to say them itself.
  const played = parseTranscript(text.replace('> a {x}', '> a 5'));
  expect((await check(played, { address: server.addresses[0], timeoutMs: 500 })).differences).toEqual([]);
});

describe('what must not pass for green', () => {
  const reasons = async (text: string, handler: Handler, options?: ServeOptions) =>
    (await play(text, handler, options)).differences.map(({ line, reason }) => `${line}: ${reason}`);

  it('a message that breaks off at the end', async () => {
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
    expect(await reasons('> hi\n< hi\n', unfinished)).toEqual(['2: a message more than expected']);
  });

  it('a line that is not sent, because a name stands for nothing or its value cannot be sent', async () => {
    const echo: Handler = (message) => message;
    expect(await reasons('> a\n< /^a(?<x>b)?/\n> say {x}\n', echo)).toEqual(['3: not sent: {x} stands for nothing']);
    const [told] = await reasons('@framing length:2\n> a\n< {x}\n> {x}{x}{x}\n', () => 'x'.repeat(60_000));
    expect(told).toMatch(/^4: not sent: /);
  });

  it('a server that talks on and on where it should end', async () => {
    const talker: Handler = {
      open: (session) => {
        const timer = setInterval(() => session.send('tick'), 20);
        session.signal.addEventListener('abort', () => clearInterval(timer));
      },
    };
    const told = await reasons('> x\n@closed\n', talker);
    expect(told.at(-1)).toMatch(/^2: (the server did not end within 500 ms|a message more than expected)/);
    expect(told).toContain('2: the server did not end within 500 ms');
  });
});

it.each([
  ['check', (text: string) => check(parseTranscript(text, 'talk'))],
  ['mockServer', async (text: string) => mockServer(parseTranscript(text.replaceAll('>', '<'), 'talk'))],
])('%s refuses at the beginning what can never be sent', async (_, use) => {
  const text = '# one\n>\\ x\\ny\n';
  await expect(async () => await use(text)).rejects.toMatchObject({
    code: 'YODEL_INVALID_TRANSCRIPT',
    message: expect.stringMatching(/^talk:2:\d+: .*line feed/),
  });
});

it('a mock server speaks the framing of its server, whatever the file says', async () => {
  const server = await listen({ handler: mockServer(parseTranscript('< welcome\n')), framing: 'length:2' });
  const peer = await dial((server.addresses[0] as { port: number }).port);
  expect((await peer.sawBytes(9)).toString('latin1')).toBe('\0\x07welcome');
});

describe('the updated text', () => {
  const update = async (text: string, handler: Handler) => updatedText(await play(text, handler));

  it('has what came at the end of the client behind its end', async () => {
    const text = '> hi\n< hi\n@close\n';
    const bye: Handler = { message: (message) => message, end: (session) => void session.send('bye') };
    const updated = await update(text, bye);
    expect(updated).toBe('> hi\n< hi\n@close\n< bye\n');
    expect((await play(updated, bye)).differences).toEqual([]);
  });

  it('keeps lines that were not waited for', async () => {
    expect(await update('> a\n< b\n< /pattern/\n', () => undefined)).toBe('> a\n< /pattern/\n');
  });
});
