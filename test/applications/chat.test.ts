/** The chat behaves the same in all versions: written with yodel, and with other tools. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Client, connect } from '../../src/index.ts';
import { dial } from '../support/peer.ts';
import { startApplication } from './application.ts';

const versions = {
  yodel: 'examples/applications/chat.ts',
  'node:net': 'test/applications/plain/chat.ts',
  ws: 'test/applications/plain/chat-ws.ts',
  'Socket.IO': 'test/applications/plain/chat-socket-io.ts',
};

/** A client of a chat, over lines, WebSocket or Socket.IO. */
class Person {
  readonly say: (line: string) => void;
  readonly #lines: AsyncIterator<string>;

  private constructor(say: (line: string) => void, lines: AsyncIterator<string>) {
    this.say = say;
    this.#lines = lines;
  }

  static async connect(address: string): Promise<Person> {
    const isSocketIo = address.startsWith('http:');
    const client = await connect(isSocketIo ? socketIoAddress(address) : address);
    onTestFinished(() => client.abort());
    if (isSocketIo) return new Person((line) => void client.send(eventOf(line)), linesOfEvents(client));
    return new Person((line) => void client.send(line), linesOf(client));
  }

  /** A person who has said a nickname and been welcomed. */
  static async enter(address: string, nickname: string): Promise<Person> {
    const person = await Person.connect(address);
    await person.next();
    expect(await person.ask(nickname)).toBe(`* welcome, ${nickname}`);
    return person;
  }

  /** The next line, or undefined when the connection has ended or broken. */
  async next(): Promise<string | undefined> {
    const { value } = await this.#lines.next().catch(() => ({ value: undefined }));
    return value;
  }

  async ask(line: string): Promise<string | undefined> {
    this.say(line);
    return await this.next();
  }

  /** Receives until a line matches, or undefined at the end of the connection. */
  async nextLike(pattern: RegExp): Promise<string | undefined> {
    for (;;) {
      const line = await this.next();
      if (line === undefined || pattern.test(line)) return line;
    }
  }
}

async function* linesOf(client: Client): AsyncGenerator<string, undefined> {
  for await (const message of client) yield message.text;
}

// The packets of Engine.IO and Socket.IO: "40" enters, "42" begins an event, "2" is a ping and "3" its answer.

function socketIoAddress(address: string): string {
  return `${address.replace('http:', 'ws:')}/socket.io/?EIO=4&transport=websocket`;
}

function eventOf(line: string): string {
  return `42${JSON.stringify(['line', line])}`;
}

async function* linesOfEvents(client: Client): AsyncGenerator<string, undefined> {
  client.send('40');
  for await (const { text } of client) {
    if (text === '2') client.send('3');
    if (text.startsWith('42')) yield JSON.parse(text.slice(2))[1];
  }
}

describe.each(Object.entries(versions))('the chat with %s', (_, file) => {
  test('lets people talk to each other', async () => {
    const { address } = await startApplication(file);
    const ana = await Person.connect(address);
    expect(await ana.next()).toBe('What is your nickname?');
    expect(await ana.ask('ana!')).toBe('error: a nickname has 1 to 20 letters, digits, - and _');
    expect(await ana.ask('ana')).toBe('* welcome, ana');

    const bob = await Person.connect(address);
    await bob.next();
    expect(await bob.ask('Ana')).toBe('error: Ana is taken');
    expect(await bob.ask('bob')).toBe('* welcome, bob');
    expect(await ana.next()).toBe('* bob has joined');

    bob.say('hello');
    bob.say('/me waves');
    expect([await ana.next(), await ana.next()]).toEqual(['bob: hello', '* bob waves']);
    expect(await bob.ask('/who')).toBe('* here: ana, bob');
    expect(await bob.ask('/what')).toBe('error: there is no /what');
    expect(await bob.ask('/quit')).toBe('* bye');
    expect(await bob.next()).toBeUndefined();
    expect(await ana.next()).toBe('* bob has left');

    const next = await Person.enter(address, 'bob');
    next.say('the name was free again');
    expect([await ana.next(), await ana.next()]).toEqual(['* bob has joined', 'bob: the name was free again']);
  });

  test('lets nobody control the terminal of another', async () => {
    const { address } = await startApplication(file);
    const [ana, bob] = [await Person.enter(address, 'ana'), await Person.enter(address, 'bob')];
    bob.say('\x1b[31mred\x07 \u202eright 👩‍👧');
    bob.say('/me \x1b[2J');
    await ana.next();
    expect(await ana.next()).toBe('bob: \\x1b[31mred\\x07 \\u202eright 👩‍👧');
    expect(await ana.next()).toBe('* bob \\x1b[2J');
  });

  test('refuses lines of more than 1000 bytes, and goes on', async () => {
    const { address } = await startApplication(file);
    const [ana, bob] = [await Person.enter(address, 'ana'), await Person.enter(address, 'bob')];
    await ana.next();
    for (const line of ['x'.repeat(1001), 'é'.repeat(501), 'y'.repeat(50_000)]) {
      expect(await bob.ask(line)).toMatch(/^error: .* longer than the limit of 1000 bytes$/);
    }
    bob.say('é'.repeat(500));
    expect(await ana.next()).toBe(`bob: ${'é'.repeat(500)}`);
  });

  test('does not wait for a slow reader, who is told or disconnected', async () => {
    const { address } = await startApplication(file);
    const slow = await Person.enter(address, 'slow');
    const [ana, bob] = [await Person.enter(address, 'ana'), await Person.enter(address, 'bob')];
    await ana.nextLike(/bob has joined/);
    // More than the buffers of the operating system: 16 MB.
    for (let batch = 0; batch < 160; batch++) {
      const numbers = Array.from({ length: 100 }, (_, line) => `${batch}/${line}`);
      for (const number of numbers) bob.say(`${number} ${'x'.repeat(980)}`);
      const heard: (string | undefined)[] = [];
      while (heard.length < numbers.length) heard.push((await ana.nextLike(/^bob: /))?.split(' ')[1]);
      expect(heard).toEqual(numbers);
    }
    expect((await slow.nextLike(/^\* you read too slowly/)) ?? 'disconnected').toMatch(/missed \d+ lines|disconnected/);
    expect(await ana.ask('/who')).toMatch(/ana, bob/);
  });

  test('disconnects who neither says nor hears anything', async () => {
    const { address } = await startApplication(file, { IDLE_TIMEOUT: '200' });
    const ana = await Person.connect(address);
    expect(await ana.next()).toBe('What is your nickname?');
    expect(await ana.next()).toMatch(/^error: nothing was received or sent for /);
    expect(await ana.next()).toBeUndefined();
  });

  test('delivers everything before it ends on SIGTERM', async () => {
    const application = await startApplication(file);
    const { address } = application;
    const [ana, bob] = [await Person.enter(address, 'ana'), await Person.enter(address, 'bob')];
    await ana.next();
    const lines = Array.from({ length: 100 }, (_, number) => `line ${number}`);
    for (const line of lines) bob.say(line);
    const heard = [await ana.next()];
    const stopped = application.stop();
    for (let line = await ana.next(); line !== undefined; line = await ana.next()) heard.push(line);
    expect(heard.filter((line) => line?.startsWith('bob: '))).toEqual(lines.map((line) => `bob: ${line}`));
    expect(heard).toContain('* the server stops');
    expect(heard.filter((line) => line?.startsWith('error'))).toEqual([]);
    expect(await stopped).toMatchObject({ status: 0, stderr: '' });
  });
});

const { ws: _, 'Socket.IO': __, ...versionsWithLines } = versions;

describe.each(Object.entries(versionsWithLines))('the lines of the chat with %s', (_, file) => {
  test('may arrive in any pieces', async () => {
    const { address, port } = await startApplication(file);
    const ana = await Person.enter(address, 'ana');
    const peer = await dial(port);
    for (const byte of Buffer.from('bob\r\nwörld 🎉\n')) await peer.send(Buffer.of(byte));
    await peer.send('one\ntwo\r\nthree');
    await peer.send(' and a half\n');
    await ana.next();
    for (const line of ['wörld 🎉', 'one', 'two', 'three and a half']) expect(await ana.next()).toBe(`bob: ${line}`);
  });

  test('must be UTF-8', async () => {
    const { port } = await startApplication(file);
    const peer = await dial(port);
    await peer.send(Buffer.from('ana\n\xff\n', 'latin1'));
    await peer.saw(/^error: .* not valid UTF-8/m);
  });
});
