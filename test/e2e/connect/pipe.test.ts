import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { freePort } from '../../support/ports.ts';
import { commandPath, type Running, serve, start, yodel } from '../../support/process/command.ts';
import { relay } from '../../support/relay.ts';
import { listen } from '../../support/servers.ts';
import { shell } from '../../support/shell.ts';

const lockFile = new URL('../../../package-lock.json', import.meta.url).pathname;

/** `yodel connect` with open input. */
function connect(...args: string[]): Running {
  return start([process.execPath, commandPath, 'connect', ...args]);
}

test('connect < package-lock.json | cmp - package-lock.json is silent', async () => {
  const { address } = await serve(['--quiet']);
  const line = `yodel connect ${address} < ${lockFile} | cmp - ${lockFile}`;
  expect(await shell(line)).toMatchObject({ stdout: Buffer.alloc(0), stderr: '', status: 0 });
});

test('the same is silent when the network delivers single bytes', async () => {
  const server = await serve(['--quiet']);
  const { port } = await relay(server.port, { piece: 1 });
  const line = `yodel connect :${port} < ${lockFile} | cmp - ${lockFile}`;
  expect(await shell(line)).toMatchObject({ stdout: Buffer.alloc(0), stderr: '', status: 0 });
});

test('50 MB of text come back byte for byte', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'text'), manyLines(50_000_000));
  const { address } = await serve(['--quiet']);
  const { stderr, status } = await shell(`yodel connect ${address} < text > reply`, { cwd: folder });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  expect(await hashOf(join(folder, 'reply'))).toBe(await hashOf(join(folder, 'text')));
});

test('a slow reader loses nothing', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'text'), manyLines(20_000_000));
  const { address } = await serve(['--quiet']);
  // Nothing is read until all pipe and socket buffers are full.
  const line = `yodel connect ${address} < text | { until [ -e full ]; do sleep 0.05; done; cat; } | cmp - text`;
  const compared = shell(line, { cwd: folder });
  const stalled = connect(address);
  stalled.process.stdin?.write('meanwhile\n');
  await stalled.saw(/meanwhile/);
  writeFileSync(join(folder, 'full'), '');
  expect(await compared).toMatchObject({ stdout: Buffer.alloc(0), stderr: '', status: 0 });
});

for (const [what, input] of Object.entries({
  'empty input': '',
  'input without a newline at its end': 'first\nlast',
  'CRLF, empty lines and a lone CR': 'a\r\n\r\n\nb\rc\n',
  'Chinese and emoji': '你好，世界\n👩‍👩‍👧‍👦 🇨🇭\n',
})) {
  test(`${what} comes back unchanged, with exit status 0`, async () => {
    const { address } = await serve();
    const { stdout, stderr, status } = await yodel(['connect', address], { input });
    expect({ output: stdout.toString(), stderr, status }).toEqual({ output: input, stderr: '', status: 0 });
  });
}

test('binary messages pass with a length framing', async () => {
  const { address } = await serve(['--framing', 'length:4']);
  const input = Uint8Array.of(0, 0, 0, 3, 0xff, 0x0a, 0, 0, 0, 0, 0);
  const { stdout, status } = await yodel(['connect', address, '--framing', 'length:4'], { input });
  expect({ output: [...stdout], status }).toEqual({ output: [...input], status: 0 });
});

test('a reply is printed at once while the input stays open', async () => {
  const { address } = await serve();
  const client = connect(address);
  for (const word of ['one', 'two', 'three']) {
    client.process.stdin?.write(`${word}\n`);
    await client.saw(new RegExp(`^${word}$`, 'm'));
  }
  client.process.stdin?.end();
  expect((await client.ended).status).toBe(0);
});

test('--count sends this number of messages, waits for the replies, and ends while the input stays open', async () => {
  const { address } = await serve();
  const client = connect(address, '--count', '2');
  client.process.stdin?.write('one\ntwo\nthree\nfour\n');
  const { stdout, stderr, status } = await client.ended;
  expect({ output: stdout.toString(), stderr, status }).toEqual({ output: 'one\ntwo\n', stderr: '', status: 0 });
});

test('--count larger than the input ends with the input', async () => {
  const { address } = await serve();
  const { stdout, status } = await yodel(['connect', address, '--count', '9'], { input: 'one\ntwo' });
  expect({ output: stdout.toString(), status }).toEqual({ output: 'one\ntwo', status: 0 });
});

test('a refused connection is one line and exit status 1', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const { stdout, stderr, status } = await yodel(['connect', address], { input: 'hello\n' });
  expect(stderr).toBe(`yodel: cannot connect to tcp://${address}: connection refused: nothing listens there\n`);
  expect({ output: stdout.toString(), status }).toEqual({ output: '', status: 1 });
});

test('a host that does not exist is one line and exit status 1', async () => {
  const { stderr, status } = await yodel(['connect', 'no-such-host.invalid:1']);
  expect(stderr).toMatch(/^yodel: cannot connect to tcp:\/\/no-such-host\.invalid:1: [^\n]*host[^\n]*\n$/);
  expect(status).toBe(1);
});

test('a server that ends before the input is exit status 1, with the number of bytes sent', async () => {
  const { address } = await listen((socket) => {
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk;
      if (seen === 'one\ntwo\nthree\n') socket.end('1\n2\n');
    });
  });
  const client = connect(address, '--wait', '200ms');
  client.process.stdin?.write('one\ntwo\nthree\n');
  const { stdout, stderr, status } = await client.ended;
  expect(stdout.toString()).toBe('1\n2\n');
  expect(stderr).toBe(
    `yodel: tcp://${address} ended the connection before the end of input; 14 bytes of input were sent, and it had not ended\n`,
  );
  expect(status).toBe(1);
});

test('an input that ends soon after the server is complete', async () => {
  const { address } = await listen((socket) => socket.once('data', () => socket.end('bye\n')));
  const client = connect(address);
  client.process.stdin?.write('QUIT\n');
  await client.saw(/bye/);
  client.process.stdin?.end();
  const { stdout, stderr, status } = await client.ended;
  expect({ output: stdout.toString(), stderr, status }).toEqual({ output: 'bye\n', stderr: '', status: 0 });
});

test('what arrives after the reply of a server that has ended is refused', async () => {
  const { address } = await listen((socket) => socket.once('data', () => socket.end('bye\n')));
  const client = connect(address);
  client.process.stdin?.write('QUIT\n');
  await client.saw(/bye/);
  client.process.stdin?.end('more\n');
  const { stderr, status } = await client.ended;
  expect(stderr).toMatch(/ended the connection before the end of input; at least 5 bytes of input were not sent\n$/);
  expect(status).toBe(1);
});

test('a server that sends nothing and ends its side first receives everything', async () => {
  const size = 5_000_000;
  let received = 0;
  const { address } = await listen((socket) => {
    socket.end();
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
  });
  const { stderr, status } = await yodel(['connect', address], { input: Buffer.alloc(size) });
  expect({ received, status }).toEqual({ received: size, status: 0 });
  expect(stderr).toContain('ended the connection; nothing was received');
});

test('a server that closes without reading is exit status 1', async () => {
  let hasClosed = () => {};
  const closed = new Promise<void>((resolve) => {
    hasClosed = resolve;
  });
  const { address } = await listen((socket) => socket.on('close', hasClosed).end().destroySoon());
  const client = connect(address);
  await closed;
  client.process.stdin?.end('hello\n');
  const { stderr, status } = await client.ended;
  expect(stderr).toMatch(/^yodel: the connection to tcp:\S+ broke: [^\n]*\n$/);
  expect(status).toBe(1);
});

test.skipIf(process.platform !== 'linux')(
  'of a file that was not sent to its end, the error says how many of its bytes were left',
  async () => {
    const { address } = await listen((socket) => {
      socket.once('data', () => socket.pause().end('no\n'));
    });
    const file = join(temporaryFolder(), 'input');
    writeFileSync(file, manyLines(40_000_000));
    // What was read before the command began is no input of it.
    const { stderr } = await shell(`{ head -c 1000000 > /dev/null; yodel connect ${address}; echo $? >&2; } < ${file}`);
    const [, left = '', all = '', status] = /(\d+) of (\d+) bytes of input were not sent\n(\d+)\n$/.exec(stderr) ?? [];
    expect({ all, status }).toEqual({ all: String(statSync(file).size - 1_000_000), status: '1' });
    expect(Number(left)).toBeGreaterThan(20_000_000);
  },
);

test('a server that stops reading and ends is exit status 1, with the number of unsent bytes', async () => {
  const { address } = await listen((socket) => {
    socket.once('data', () => socket.pause().end('1\n2\n'));
  });
  const { stderr, status } = await yodel(['connect', address], { input: manyLines(40_000_000) });
  expect(stderr).toMatch(/^yodel: [^\n]* before the end of input; at least \d+ bytes of input were not sent\n$/);
  expect(status).toBe(1);
});

test.each([300_000, 3_000_000])(
  'the reply of a server that closes with the rest unread is printed: %i bytes',
  async (size) => {
    const { address } = await listen((socket) => {
      socket.once('data', () => socket.pause().write('sorry\n', () => socket.destroy()));
    });
    const { stdout, stderr, status } = await yodel(['connect', address], { input: Buffer.alloc(size) });
    expect({ output: stdout.toString(), status }).toEqual({ output: 'sorry\n', status: 1 });
    expect(stderr).toMatch(/^yodel: [^\n]+\n$/);
  },
);

test('a server that does not read is exit status 1 after --wait, with the number of unsent bytes', async () => {
  const path = join(temporaryFolder(), 'socket');
  const server = createServer({ pauseOnConnect: true }).listen(path);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  // More than a Unix socket buffers, and less than yodel reads ahead besides.
  const flags = ['--wait', '300ms'];
  const { stderr, status } = await yodel(['connect', `unix://${path}`, ...flags], { input: Buffer.alloc(400_000) });
  expect(stderr).toMatch(/^yodel: unix:\S+ took no input for 300 ms; \d+ bytes of input were not sent; [^\n]+\n$/);
  expect(status).toBe(1);
});

test('a broken connection is exit status 1, with the number of bytes sent', async () => {
  const { address } = await listen((socket) => {
    socket.write('1\n');
    socket.once('data', () => socket.resetAndDestroy());
  });
  const client = connect(address);
  await client.saw(/1\n/);
  client.process.stdin?.write('one\ntwo\n');
  const { stderr, status } = await client.ended;
  expect(stderr).toMatch(
    /^yodel: the connection to tcp:[^\n]* broke: [^\n]*; 8 bytes of input were sent, and it had not ended\n$/,
  );
  expect(status).toBe(1);
});

test.each(['', 'echo'])('a silent server that stays open is exit status 4 after --wait: %s', async (kind) => {
  const { address } = await listen((socket) =>
    kind === 'echo' ? socket.on('data', (chunk) => socket.write(chunk)) : socket.resume(),
  );
  const { stdout, stderr, status } = await yodel(['connect', address, '--wait', '1s'], { input: 'one\ntwo\n' });
  const what = 'was silent for 1000 ms after the end of input, and did not end the connection (see --wait)';
  expect(stderr).toContain(`yodel: tcp://${address} ${what}; all 8 bytes of input were sent`);
  expect({ output: stdout.toString(), status }).toEqual({ output: kind === 'echo' ? 'one\ntwo\n' : '', status: 4 });
});

test('with --no-shutdown, silence is the expected end', async () => {
  const { address } = await listen((socket) => socket.on('data', (chunk) => socket.write(chunk)));
  const flags = ['--no-shutdown', '--wait', '1s'];
  const { stdout, stderr, status } = await yodel(['connect', address, ...flags], { input: 'one\n' });
  expect({ output: stdout.toString(), stderr, status }).toEqual({ output: 'one\n', stderr: '', status: 0 });
});

test('unsolicited messages are read until the server ends', async () => {
  const { address } = await listen((socket) => {
    socket.write('welcome\n');
    socket.on('end', () => setTimeout(() => socket.end('goodbye\n'), 30));
    socket.resume();
  });
  const { stdout, status } = await yodel(['connect', address]);
  expect({ output: stdout.toString(), status }).toEqual({ output: 'welcome\ngoodbye\n', status: 0 });
});

test('| head -1 ends the command quietly', async () => {
  const { address } = await serve(['--quiet', handlerFile('export default () => "x".repeat(60_000);')]);
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'text'), manyLines(5_000_000));
  const line = `{ yodel connect ${address} < text; echo $? > status; } | head -n 1`;
  const { stdout, stderr, status } = await shell(line, { cwd: folder });
  expect({ stderr, status, output: stdout.toString() }).toEqual({
    stderr: '',
    status: 0,
    output: `${'x'.repeat(60_000)}\n`,
  });
  expect(readFileSync(join(folder, 'status'), 'utf8')).toBe('0\n');
});

test('output that cannot be written is one line and exit status 1', async () => {
  const { address } = await serve();
  const { stderr, status } = await shell(`echo hello | yodel connect ${address} > /dev/full`);
  expect(stderr).toMatch(/^yodel: cannot write the output: [^\n]+\n$/);
  expect(status).toBe(1);
});

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends the command at once, quietly, with exit status ${expected}`, async () => {
    const { address } = await serve();
    const client = connect(address);
    client.process.stdin?.write('hello\n');
    await client.saw(/hello/);
    const { stdout, stderr, status } = await client.stop(signal);
    expect({ output: stdout.toString(), stderr, status }).toEqual({ output: 'hello\n', stderr: '', status: expected });
  });
}

test('what was received before Ctrl-C is printed', async () => {
  const { address } = await listen((socket) => socket.write(`${'x'.repeat(200_000)}\n`));
  const client = connect(address);
  await client.saw(/x\n/);
  expect((await client.stop('SIGINT')).stdout.length).toBe(200_001);
});

for (const form of ['HOST PORT', 'HOST:PORT', ':PORT', 'PORT', 'tcp://HOST:PORT']) {
  test(`the address can be written as ${form}`, async () => {
    const { port } = await serve();
    const args = form.replace('HOST', 'localhost').replace('PORT', String(port)).split(' ');
    const { stdout } = await yodel(['connect', ...args], { input: 'hello\n' });
    expect(stdout.toString()).toBe('hello\n');
  });
}

test('a Unix socket can be connected to', async () => {
  const address = `unix://${join(temporaryFolder(), 'socket')}`;
  await serve(['--listen', address]);
  const { stdout, status } = await yodel(['connect', address], { input: 'hello\n' });
  expect({ output: stdout.toString(), status }).toEqual({ output: 'hello\n', status: 0 });
});

test('a Unix socket that does not exist is one line and exit status 1', async () => {
  const address = `unix://${join(temporaryFolder(), 'nothing')}`;
  const { stderr, status } = await yodel(['connect', address]);
  expect(stderr).toBe(`yodel: cannot connect to ${address}: there is no such socket file or directory\n`);
  expect(status).toBe(1);
});

test('several clients at once get only their own replies', async () => {
  const { address } = await serve(['--quiet']);
  const inputs = Array.from({ length: 5 }, (_, client) => `client ${client} says something\n`.repeat(2000));
  const outcomes = await Promise.all(inputs.map((input) => yodel(['connect', address], { input })));
  for (const [client, { stdout }] of outcomes.entries()) expect(stdout.toString()).toBe(inputs[client]);
});

test.each([
  ['fewer replies than lines', 'one\ntwo\nthree\n', '1\n'],
  ['more replies than lines', 'one\n', '1\n2\n3\n'],
  ['a prompt without a line ending', 'ada\nsecret\n', 'login: password: welcome\n$ '],
])('nothing is counted: %s', async (_, input, output) => {
  const { address } = await listen((socket) => {
    socket.on('end', () => socket.end(output)).resume();
  });
  const { stdout, stderr, status } = await yodel(['connect', address], { input });
  expect({ output: stdout.toString(), stderr, status }).toEqual({ output, stderr: '', status: 0 });
});

/** Lines of very different lengths and contents, some with multi-byte characters. */
function manyLines(size: number): Buffer {
  const text = Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz 0123456789 äöü 你好 👋 ');
  let seed = 42;
  for (let at = 0; at < size; ) {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    at += seed % 100 === 0 ? 60_000 : seed % 200;
    // Not inside a character: move to the next one-byte character.
    while (at < size && (text[at] as number) >= 0x80) at++;
    if (at < size) text[at++] = 0x0a;
  }
  // The last character may be cut.
  return text.fill('\n', size - 4);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

test('--count sends a long message to its end', async () => {
  const folder = temporaryFolder();
  const long = Buffer.alloc(20_000_000, 'x').fill('\n', 19_999_999);
  writeFileSync(join(folder, 'text'), Buffer.concat([long, Buffer.from('more\n')]));
  const { address } = await listen((socket) => socket.pipe(socket));
  const { stderr, status } = await shell(`yodel connect ${address} --count 1 < text > reply`, { cwd: folder });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  expect(readFileSync(join(folder, 'reply')).equals(long)).toBe(true);
});

test('--count refuses a message that is too long to find its end', async () => {
  const { address } = await serve(['--quiet']);
  const input = Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
  const flags = ['--count', '1', '--framing', 'length:4'];
  const { stderr, status } = await yodel(['connect', address, ...flags], { input });
  expect(stderr).toBe('yodel: message 1 is longer than the limit of 1073741824 bytes\n');
  expect(status).toBe(1);
});

test.each(['', '--lockstep'])('a directory as input is a usage error: %s', async (flag) => {
  const { address } = await serve(['--quiet']);
  const { stderr, status } = await shell(`yodel connect ${address} ${flag} < /`);
  expect(stderr).toBe('yodel: the input is a directory; use a file or a pipe\n');
  expect(status).toBe(2);
});
