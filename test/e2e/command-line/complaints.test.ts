/**
 * What users of similar tools have requested over the years, mostly in vain. Each test is named after one complaint and its
 * source, and shows the behaviour of yodel.
 */
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { commandPath, serve, start, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';
import { connectTo } from '../../support/talk.ts';
import { testWith } from '../../support/tools.ts';
import { recordedText } from '../../support/transcripts.ts';

const tmux = testWith('tmux', 'apt-get install tmux');
const openssl = testWith('openssl', 'apt-get install openssl');

/** A server that calls `reply` for each chunk, and ends when its client ends. */
async function answering(reply: (text: string, socket: Socket) => void): Promise<string> {
  const { address } = await listen((socket) => {
    socket.on('data', (chunk: Buffer) => reply(chunk.toString(), socket));
    socket.on('end', () => socket.end());
  });
  return address;
}

async function connect(address: string, input: string, ...flags: string[]) {
  const { stdout, stderr, status } = await yodel(['connect', address, ...flags], { input });
  return { stdout: stdout.toString(), stderr, status };
}

describe('ends', () => {
  test('1. nc does not end at the end of its input (newbe.dev, billauer.co.il)', async () => {
    const server = await serve();
    expect(await connect(server.address, 'a\nb\n')).toEqual({ stdout: 'a\nb\n', stderr: '', status: 0 });
  });

  test('2. -N and -q are missing in other versions of nc (rubocop-daemon#11, mscs#25)', async () => {
    // Like some servers, it disconnects when its client ends its side.
    const { address } = await listen((socket) => {
      let asked = 0;
      socket.on('end', () => socket.destroy());
      socket.on('data', () => void (asked++ === 0 && setTimeout(() => socket.write('late\n'), 500)));
    });
    expect((await connect(address, 'a\n')).stdout).toBe('');
    const kept = await connect(address, 'a\n', '--no-shutdown', '--wait', '1500ms');
    expect(kept).toEqual({ stdout: 'late\n', stderr: '', status: 0 });
    const byMessage = await connect(address, 'a\n', '--no-shutdown', '--wait', '1500ms', '--format', '%m!');
    expect(byMessage).toEqual({ stdout: 'late!', stderr: '', status: 0 });
  });

  test('3. ncat closes before the reply has come (nmap#1229)', async () => {
    const { address } = await listen((socket) => {
      socket.on('data', (chunk) => void setTimeout(() => socket.end(chunk), 700));
    });
    expect(await connect(address, 'late\n')).toEqual({ stdout: 'late\n', stderr: '', status: 0 });
  });

  test('4. the end of input is handled differently from version to version (ncat 7.96)', async () => {
    // Like sort, it answers at the end of its input.
    const { address } = await listen((socket) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('end', () => socket.end(`${text.trim().split('\n').sort().join('\n')}\n`));
    });
    expect((await connect(address, 'b\nc\na\n')).stdout).toBe('a\nb\nc\n');
  });
});

describe('serves', () => {
  test('5. --exec /bin/cat is not an exact echo (nmap#962)', async () => {
    const server = await serve(['exec:cat', '--framing', 'raw', '--quiet']);
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    const { stdout, status } = await yodel(['connect', server.address, '--framing', 'raw'], { input: bytes });
    expect(stdout.equals(bytes)).toBe(true);
    expect(status).toBe(0);
  });

  test('6. the server dies when a client leaves (nmap#2827)', async () => {
    const server = await serve();
    const [leaves, stays] = [await dial(server.port), await dial(server.port)];
    await leaves.send('half a mess');
    leaves.reset();
    expect(await stays.ask('still there?')).toBe('still there?');
  });

  test('7. who may connect cannot be changed without dropping sessions (nmap#2944)', async () => {
    const file = join(temporaryFolder(), 'yodel.toml');
    writeFileSync(file, '');
    const server = await serve(['--config', file, '--listen', '127.0.0.1:0']);
    const open = await dial(server.port);
    expect(await open.ask('before')).toBe('before');
    writeFileSync(file, 'deny = ["127.0.0.0/8"]\n');
    server.process.kill('SIGHUP');
    await server.saw(/reloaded/);
    expect(await open.ask('after')).toBe('after');
    const refused = createConnection(server.port, '127.0.0.1').on('error', () => undefined);
    onTestFinished(() => void refused.destroy());
    await once(refused.resume(), 'close');
  });

  openssl('8. clients without a certificate are served (nmap#1898)', async () => {
    const [own, client] = [makeCertificate(), makeCertificate()];
    const tls = ['--cert', own.certificate, '--key', own.key, '--client-ca', client.certificate];
    const server = await serve([...tls, '--listen', 'tls://127.0.0.1:0']);
    const to = server.address.replace('127.0.0.1', 'localhost');
    const unknown = await connect(to, 'a\n', '--cacert', own.certificate);
    expect(unknown.stdout).toBe('');
    expect(unknown.status).not.toBe(0);
    const shown = ['--cert', client.certificate, '--key', client.key];
    expect((await connect(to, 'a\n', '--cacert', own.certificate, ...shown)).stdout).toBe('a\n');
  });

  test('9. -l -p 0 says that it listens on port 0 (nmap#3005)', async () => {
    const server = await serve(['--listen', '127.0.0.1:0']);
    expect(server.port).toBeGreaterThan(0);
    expect(await (await dial(server.port)).ask('here')).toBe('here');
  });

  test('13. proxied traffic cannot be written to a file (websocat#81)', async () => {
    const folder = temporaryFolder();
    const address = await answering((text, socket) => socket.write(text.toUpperCase()));
    const server = await serve([`proxy:${address}`, '--record', folder]);
    expect((await connect(server.address, 'hello\n')).stdout).toBe('HELLO\n');
    await server.stop();
    const [file = ''] = readdirSync(folder);
    expect(recordedText(join(folder, file))).toMatch(/^> hello\n(?:@close\n)?< HELLO$/m);
  });
});

describe('by hand', () => {
  tmux('11. arrow keys print ^[[A (websocat#57)', async () => {
    const terminal = await connectTo((await serve()).address);
    terminal.enter('first');
    await terminal.sees(/< first/);
    terminal.press('Up', 'Left', 'Left');
    terminal.type('-');
    terminal.press('Enter');
    await terminal.sees(/< fir-st/);
  });

  tmux('12. neither the time nor the round trip is shown (websocat#71)', async () => {
    const terminal = await connectTo((await serve()).address, undefined, '--timestamps');
    terminal.enter('when');
    await terminal.sees(/\d\d:\d\d:\d\d\.\d+ < when {2}[\d.]+ ms\n/);
  });

  tmux('16. pasted lines are cut at 4096 bytes (websocat#261, #140)', async () => {
    const server = await serve(['--quiet', '--no-messages']);
    const terminal = await connectTo(server.address);
    terminal.paste(`${'x'.repeat(20_000)}\n`);
    // The reply has arrived.
    await terminal.sees(/ ms\n>$/);
    terminal.enter(':stats');
    await terminal.sees(/\nreceived {2}1 message, 20000 B/);
  });

  tmux('24. no search in the history, no completion (valkey#2016)', async () => {
    const terminal = await connectTo((await serve()).address);
    for (const line of ['get alpha', 'get beta']) terminal.enter(line);
    await terminal.sees(/< get beta/);
    terminal.press('C-r');
    terminal.type('alp');
    await terminal.sees(/get alpha$/);
    terminal.press('Enter');
    await terminal.sees(/< get alpha[^\n]*\n[^<]*< get beta[^\n]*\n[^<]*< get alpha/);
    terminal.type(':sta');
    terminal.press('Tab');
    await terminal.sees(/\n> :stats$/);
  });
});

describe('in a pipe', () => {
  test('14. exit status 0 when the connection was refused (websocat#299, #303)', async () => {
    const { stderr, status } = await connect('127.0.0.1:1', 'a\n');
    expect(stderr).toMatch(/^yodel: cannot connect to tcp:\/\/127\.0\.0\.1:1: connection refused/);
    expect(status).toBe(1);
  });

  test('17. a slow reader of the output loses messages (websocat#50)', async () => {
    const server = await serve(['--quiet']);
    const client = start([process.execPath, commandPath, 'connect', server.address]);
    client.process.stdout?.pause();
    const lines = 'a line that is read late\n'.repeat(200_000);
    client.process.stdin?.end(lines);
    await delay(300);
    client.process.stdout?.resume();
    const { stdout, status } = await client.ended;
    expect(stdout.length).toBe(lines.length);
    expect(status).toBe(0);
  });

  test('18. messages cannot be split by a token or a length (websocat#83, #201)', async () => {
    const address = await answering((text, socket) => socket.write(text));
    const byToken = await connect(address, 'one;two;', '--framing', 'delimiter:;', '--format', '[%m]');
    expect(byToken.stdout).toBe('[one][two]');
    const byLength = await connect(address, '\0\x03one\0\x03two', '--framing', 'length:2', '--format', '[%m]');
    expect(byLength.stdout).toBe('[one][two]');
  });

  test('20. a client cannot wait for the reply before the next message (tcpkali#53)', async () => {
    const chunks: string[] = [];
    const address = await answering((text, socket) => {
      chunks.push(text);
      setTimeout(() => socket.write(text), 20);
    });
    expect((await connect(address, 'a\nb\nc\n', '--lockstep')).stdout).toBe('a\nb\nc\n');
    expect(chunks).toEqual(['a\n', 'b\n', 'c\n']);
  });

  test('21. one connection cannot be used for several messages (PacketSender#307, #58)', async () => {
    let connections = 0;
    const { address } = await listen((socket) => {
      connections++;
      socket.pipe(socket);
    });
    const { stdout } = await yodel(['send', address, 'one', 'two', 'three']);
    expect(stdout.toString()).toBe('one\ntwo\nthree\n');
    expect(connections).toBe(1);
  });

  test('25. output to a pipe is delayed by buffering (kcat#3, #352)', async () => {
    const server = await serve();
    const client = start([process.execPath, commandPath, 'connect', server.address]);
    client.process.stdin?.write('now\n');
    await client.saw(/^now$/m);
    client.process.stdin?.end();
    expect((await client.ended).status).toBe(0);
  });
});

describe('measures', () => {
  test('22. the rate of a load test cannot be set (natscli#939)', async () => {
    const server = await serve(['--quiet']);
    const flags = ['--rate', '100/s', '--duration', '1s', '--connections', '2', '--json'];
    const { stdout } = await yodel(['bench', server.address, ...flags]);
    const { sent } = JSON.parse(stdout.toString()).messages;
    expect(sent).toBeGreaterThan(80);
    expect(sent).toBeLessThanOrEqual(101);
  });

  test('23. load tools support HTTP but not plain TCP (k6#1493, autocannon#245)', async () => {
    const address = await answering((text, socket) => socket.write(text));
    const { stdout, status } = await yodel(['bench', address, '--count', '50', '--json']);
    expect(JSON.parse(stdout.toString()).messages).toMatchObject({ sent: 50, answered: 50 });
    expect(status).toBe(0);
  });
});
