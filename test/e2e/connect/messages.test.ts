/** `yodel connect` in a pipe, message by message. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { commandPath, run, serve, start, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';
import { shell } from '../../support/shell.ts';
import { testWith } from '../../support/tools.ts';
import { recordedText } from '../../support/transcripts.ts';

/** A server that answers at most this number of lines per connection. */
function answering(most: number) {
  return listen((socket) => {
    let count = 0;
    socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n').filter(Boolean)) if (count++ < most) socket.write(`${line}!\n`);
    });
    socket.on('end', () => socket.end());
  });
}

describe('--wait-replies', () => {
  it('succeeds when every message was answered, and waits no longer', async () => {
    const { address } = await answering(3);
    const { stdout, stderr, status } = await yodel(['connect', address, '--wait-replies'], { input: 'a\nb\nc' });
    expect(stdout.toString()).toBe('a!\nb!\nc!\n');
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it('names the messages that were not answered, with exit status 3', async () => {
    const { address } = await answering(2);
    const flags = ['--wait-replies', '--timeout', '1s'];
    const { stdout, stderr, status } = await yodel(['connect', address, ...flags], { input: 'a\nb\nc\n' });
    expect(stdout.toString()).toBe('a!\nb!\n');
    expect(stderr).toBe('yodel: 1 of 3 messages was not answered within 1000 ms: 3: c\n');
    expect(status).toBe(3);
  });

  it('names them at once when the server ends', async () => {
    const { address } = await listen((socket) => socket.on('data', () => socket.end('one!\n')));
    const { stderr, status } = await yodel(['connect', address, '--wait-replies'], { input: 'a\n\x1b[31mb\n' });
    expect(stderr).toBe('yodel: 1 of 2 messages was not answered before the server ended: 2: \\x1b[31mb\n');
    expect(status).toBe(3);
  });
});

describe('--lockstep', () => {
  it('sends each message after the reply to the one before', async () => {
    let most = 0;
    const { address } = await listen((socket) => {
      socket.on('data', (chunk: Buffer) => {
        most = Math.max(most, chunk.toString().split('\n').length - 1);
        socket.write(chunk);
      });
      socket.on('end', () => socket.end());
    });
    const { stdout, status } = await yodel(['connect', address, '--lockstep'], { input: 'a\n'.repeat(50) });
    expect(stdout.toString()).toBe('a\n'.repeat(50));
    expect(most).toBe(1);
    expect(status).toBe(0);
  });

  it('stops at the first message that is not answered', async () => {
    const { address } = await answering(1);
    const flags = ['--lockstep', '--timeout', '1s'];
    const { stderr, status } = await yodel(['connect', address, ...flags], { input: 'a\nb\nc\n' });
    expect(stderr).toBe('yodel: 1 of 2 messages was not answered within 1000 ms: 2: b\n');
    expect(status).toBe(3);
  });
});

test.each(['--lockstep', '--wait-replies'])('with %s, output without a reader is not an error', async (flag) => {
  const { address } = await listen((socket) => socket.resume());
  const folder = temporaryFolder();
  const input = '{ until [ -e gone ]; do sleep 0.02; done; echo never answered; }';
  const client = `{ yodel connect ${address} ${flag} --json; echo $? > status; }`;
  const { stderr } = await shell(`${input} | ${client} | { exec <&-; touch gone; }`, { cwd: folder });
  expect({ stderr, status: readFileSync(join(folder, 'status'), 'utf8') }).toEqual({ stderr: '', status: '0\n' });
});

it('a greeting is not a reply: a server that only greets answers nothing, like discard', async () => {
  const { address } = await listen((socket) => {
    socket.write('welcome\n');
    socket.on('end', () => socket.end()).resume();
  });
  const client = start([process.execPath, commandPath, 'connect', address, '--format', '%m\\n']);
  await client.saw(/welcome/);
  client.process.stdin?.end('one\ntwo\n');
  const { stderr, status } = await client.ended;
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});

test('an input that is not in the framing is an error of stdin', async () => {
  const { address } = await listen((socket) => socket.on('end', () => socket.end()).resume());
  const flags = ['--framing', 'length:2', '--wait-replies'];
  const { stderr, status } = await yodel(['connect', address, ...flags], { input: '\0\x05hi' });
  expect(stderr).toBe('yodel: stdin: input ended after 4 bytes of a frame, in message 1\n');
  expect(status).toBe(1);
});

test('--crlf ends the lines of a protocol with CRLF', async () => {
  let received = '';
  const { address } = await listen((socket) => {
    socket.write('220 ready\r\n');
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString();
    });
    socket.on('end', () => socket.end());
  });
  await yodel(['connect', address, '--protocol', 'smtp', '-C', '--wait', '100ms'], {
    input: 'EHLO a\nDATA\r\nhi\n.\nQUIT\n',
  });
  expect(received).toBe('EHLO a\r\nDATA\r\nhi\r\n.\r\nQUIT\r\n');
});

test('--crlf ends lines with CRLF, whatever their ending was', async () => {
  const { address } = await listen((socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => socket.end(`${JSON.stringify(text)}\n`));
  });
  const { stdout } = await yodel(['connect', address, '--crlf'], { input: 'a\nb\r\nc' });
  expect(JSON.parse(stdout.toString())).toBe('a\r\nb\r\nc\r\n');
});

test('--interval pauses between messages, and --count ends the input', async () => {
  const server = await serve();
  const flags = ['--interval', '50ms', '--count', '3', '--json'];
  const { stdout } = await yodel(['connect', server.address, ...flags], { input: 'a\nb\nc\nd\n' });
  const sent = stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { direction: string; time: string; text: string })
    .filter(({ direction }) => direction === 'sent');
  expect(sent.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
  const times = sent.map(({ time }) => Date.parse(time));
  // Timers may be early by a millisecond or two, and the printed times are rounded.
  expect((times[2] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(90);
});

describe('output', () => {
  it('--json is an object for each message in both directions', async () => {
    const server = await serve(['--encoding', 'binary']);
    const input = Buffer.from([0x61, 0x0a, 0xff, 0x0a]);
    const { stdout } = await yodel(['connect', server.address, '--json', '--lockstep'], { input });
    const events = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const peer = server.address.replace('tcp://', '');
    expect(events).toMatchObject([
      { direction: 'sent', peer, number: 1, bytes: 1, text: 'a' },
      { direction: 'received', peer, number: 1, bytes: 1, text: 'a', rttMs: expect.any(Number) },
      { direction: 'sent', peer, number: 2, bytes: 1, base64: '/w==' },
      { direction: 'received', peer, number: 2, bytes: 1, base64: '/w==' },
    ]);
  });

  it.each([
    ['%n:%m\\n', '1:a b\\c\n'],
    ['%l %x %b\\t%%\\n', '5 6120625c63 YSBiXGM=\t%\n'],
    ['%d %e\\n', '> a b\\c\n< a b\\c\n'],
  ])('--format %j', async (format, expected) => {
    const server = await serve();
    const flags = ['--format', format, '--lockstep'];
    const { stdout, stderr } = await yodel(['connect', server.address, ...flags], { input: 'a b\\c\n' });
    expect(stderr).toBe('');
    expect(stdout.toString()).toBe(expected);
  });

  it('--format reports an unknown letter', async () => {
    const { stderr, status } = await yodel(['connect', ':1', '--format', '%q'], { input: '' });
    expect(stderr).toMatch(/^yodel: unknown "%q" in --format; known are %m %e %x /);
    expect(status).toBe(2);
  });

  it('is printed as each reply arrives', async () => {
    const server = await serve();
    const client = start([process.execPath, commandPath, 'connect', server.address, '--format', '%m\\n']);
    client.process.stdin?.write('first\n');
    await client.saw(/^first$/m);
    client.process.stdin?.write('second\n');
    await client.saw(/^second$/m);
    client.process.stdin?.end();
    expect((await client.ended).status).toBe(0);
  });
});

test('connect -z only checks that the server accepts connections', async () => {
  const server = await serve();
  const open = await yodel(['connect', '-z', server.address]);
  expect(open.stderr).toMatch(/^yodel: tcp:\/\/127\.0\.0\.1:\d+ accepts connections \([\d.]+ ms\)\n$/);
  expect(open.status).toBe(0);
  expect((await yodel(['connect', '-z', '127.0.0.1:1'])).status).toBe(1);
});

test('what connect --record writes passes yodel check', async () => {
  const server = await serve();
  const file = join(temporaryFolder(), 'talk.transcript');
  const flags = ['--record', file, '--lockstep'];
  await yodel(['connect', server.address, ...flags], { input: 'hello\nwörld \x1b\r\n' });
  expect(recordedText(file)).toMatch(
    /^# recorded .*, server tcp:.*\n@framing lines\n> hello\n< hello\n@ending crlf\n>\\ wörld \\x1b\n<\\ wörld \\x1b\n/,
  );
  const { status, stderr } = await yodel(['check', file, server.address]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test('a transcript that cannot be written is one line and exit status 1', async () => {
  const server = await serve();
  const { stderr, status } = await yodel(['connect', server.address, '--record', '/dev/full'], { input: 'hello\n' });
  expect(stderr).toMatch(/^yodel: cannot record into \/dev\/full: [^\n]+\n$/);
  expect(status).toBe(1);
});

test.each(['--lockstep', '-z'])('an existing transcript is kept when connecting fails: %s', async (flag) => {
  const file = temporaryFile('talk.transcript', '> hello\n');
  const { status } = await yodel(['connect', '127.0.0.1:1', '--record', file, '--record-overwrite', flag], {
    input: 'hello\n',
  });
  expect({ status, kept: readFileSync(file, 'utf8') }).toEqual({ status: 1, kept: '> hello\n' });
});

describe('nothing is lost', () => {
  it.each([
    ['byte for byte', ['--wait', '1s']],
    ['message by message', ['--wait-replies', '--timeout', '1s']],
  ])('where stdout is read late, %s', async (_, flags) => {
    const line = `${'x'.repeat(99)}\n`;
    const { address } = await listen((socket) => {
      // With --wait-replies, the sending side is closed after the last reply.
      const event = flags.includes('--wait-replies') ? 'data' : 'end';
      socket.once(event, () => socket.end(line.repeat(40_000))).resume();
    });
    const asks = `(echo hi | yodel connect ${address} ${flags.join(' ')}; echo "status $?" >&2)`;
    const { stdout, stderr } = await shell(`${asks} | (sleep 2; wc -c)`);
    expect({ bytes: Number(stdout), stderr }).toEqual({ bytes: 4_000_000, stderr: 'status 0\n' });
  });

  it('of what a server sends after the last reply', async () => {
    const { address } = await listen((socket) => {
      let count = 0;
      const timer = setInterval(() => {
        socket.write(`line ${++count}\n`);
        if (count < 6) return;
        clearInterval(timer);
        socket.end();
      }, 250);
      socket.resume();
    });
    const { stdout, status } = await yodel(['send', address, 'hi']);
    expect(stdout.toString()).toBe([1, 2, 3, 4, 5, 6].map((number) => `line ${number}\n`).join(''));
    expect(status).toBe(0);
  });

  it('of an unfinished reply, whether the server ends or not', async () => {
    const ends = await listen((socket) => socket.once('data', () => socket.end('ok')));
    expect(await yodel(['send', ends.address, 'hi'])).toMatchObject({
      stdout: Buffer.from('ok'),
      stderr: '',
      status: 0,
    });
    const stays = await listen((socket) => socket.once('data', () => socket.write('login: ')));
    const flags = ['--wait-replies', '--timeout', '1s'];
    const { stdout, status } = await yodel(['connect', stays.address, ...flags], { input: 'hi\n' });
    expect({ stdout: stdout.toString(), status }).toEqual({ stdout: 'login: ', status: 3 });
  });
});

it('counts very many unanswered messages, and does not wait forever', async () => {
  const { address } = await listen((socket) => socket.resume());
  const input = 'a\n'.repeat(10_050);
  const { stderr, status } = await yodel(['connect', address, '--wait-replies', '--timeout', '300ms'], { input });
  expect(stderr).toContain('10050 of 10050 messages were not answered within 300 ms: 1: a, 2: a, ');
  expect(status).toBe(3);
});

it('a pause between messages ends with the connection', async () => {
  const { address } = await listen((socket) => socket.once('data', () => socket.end('ok\n')));
  const { stdout, status } = await yodel(['connect', address, '--interval', '10m'], { input: 'a\nb\n' });
  expect({ stdout: stdout.toString(), status }).toEqual({ stdout: 'ok\n', status: 1 });
});

testWith('script', 'apt-get install bsdutils')('what a server sends cannot control a terminal', async () => {
  const { address } = await listen((socket) => socket.once('data', () => socket.end('\x1b]0;owned\x07red\n')));
  const line = `${process.execPath} ${commandPath} send ${address} hi`;
  const { stdout } = await run(['script', '-qec', line, '/dev/null']);
  expect(stdout.toString()).toContain('\\x1b]0;owned\\x07red');
  expect(stdout.toString()).not.toContain('\x1b]0;');
});
