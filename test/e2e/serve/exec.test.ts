/** `yodel serve exec:COMMAND` with real programs, including ones that hang, fork, flood and die. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial, type Peer } from '../../support/peer.ts';
import { allGone, childrenOf } from '../../support/process/children.ts';
import { type RunningServer, serve } from '../../support/process/command.ts';
import { runLine } from '../../support/process/command-lines.ts';
import { residentBytes, waitUntil } from '../../support/process/process.ts';

/** Serves a shell command. */
async function serveShell(command: string, ...flags: string[]): Promise<RunningServer> {
  return await serve([`exec:${command}`, '--shell', ...flags]);
}

async function served(server: RunningServer): Promise<Peer> {
  return await dial(server.port);
}

/** Sends the input, ends, and returns everything received. */
async function exchange(server: RunningServer, input: string): Promise<string> {
  const peer = await served(server);
  await peer.send(input);
  peer.end();
  return (await peer.ended).toString();
}

test('a child for each connection gets the bytes of its peer, and its output goes back unchanged', async () => {
  const server = await serve(['exec:cat']);
  const text = 'one\r\ntwo\n\nthree\r\nwithout an ending';
  expect(await exchange(server, text)).toBe(text);
});

test('binary frames pass through a child unchanged', async () => {
  const server = await serve(['exec:cat', '--framing', 'length:2']);
  const frames = '\0\x03abc\0\0\0\x02\n\r';
  expect(await exchange(server, frames)).toBe(frames);
});

test('a child keeps its state for as long as its connection lasts', async () => {
  const server = await serveShell('n=0; while read -r line; do n=$((n+1)); echo "$n $line"; done');
  const [ada, bob] = [await served(server), await served(server)];
  expect(await ada.ask('a')).toBe('1 a');
  expect(await bob.ask('b')).toBe('1 b');
  expect(await ada.ask('c')).toBe('2 c');
});

test('a child that prints at the end of its input does so when the peer has ended', async () => {
  expect(await exchange(await serve(['exec:sort -r']), 'a\nc\nb\n')).toBe('c\nb\na\n');
});

test('a child for each message: its output lines are the reply, with the line ending of the message', async () => {
  const server = await serve(['exec:tr a-z A-Z', '--exec-per-message']);
  expect(await exchange(server, 'a\r\nb c\n\n')).toBe('A\r\nB C\n\n');
  const lines = await serveShell("printf 'x\\ny\\n'", '--exec-per-message');
  expect(await exchange(lines, '1\r\n2\n')).toBe('x\r\ny\r\nx\ny\n');
});

test('with other framings the reply is the output, byte for byte', async () => {
  const server = await serve(['exec:echo hi', '--exec-per-message', '--framing', 'length:1']);
  expect(await exchange(server, '\x01x')).toBe('\x03hi\n');
});

test('output that the framing cannot express is answered by an error reply, and the session continues', async () => {
  const server = await serve([
    'exec:cat',
    '--exec-per-message',
    '--framing',
    'length:2',
    '--reply-framing',
    'delimiter:|',
  ]);
  const replies = await exchange(server, '\0\x03a|b\0\x01c');
  expect(replies).toMatch(/^error: the reply cannot be sent: [^|]* contains [^|]*[|]c[|]$/);
  expect(server.stderr).not.toContain('the handler failed');
});

test('what a peer sends is never part of a command', async () => {
  const folder = temporaryFolder();
  const marks = ['a', 'b', 'c'].map((name) => join(folder, name));
  const [a, b, c] = marks;
  const hostile = `$(touch ${a})\n\`touch ${b}\`\n'; touch ${c} #\n`;
  for (const flags of [[], ['--exec-per-message'], ['--shell'], ['--shell', '--exec-per-message']]) {
    expect(await exchange(await serve(['exec:cat', ...flags]), hostile)).toBe(hostile);
  }
  for (const mark of marks) expect(existsSync(mark)).toBe(false);
});

test('a child receives the address of its peer, and no secrets of the server', async () => {
  const env = { SECRET: 'no', PASSED_ON: 'yes' };
  const server = await serve(['exec:env', '--exec-env', 'PASSED_ON'], { env });
  const peer = await served(server);
  peer.end();
  const lines = (await peer.ended).toString().split('\n');
  const local = `YODEL_LOCAL=tcp://127.0.0.1:${server.port}`;
  expect(lines).toEqual(expect.arrayContaining([`YODEL_PEER=127.0.0.1:${peer.port}`, local, 'YODEL_SESSION=1']));
  expect(lines).toContain('PASSED_ON=yes');
  expect(lines.join()).not.toContain('SECRET');
});

test('without a shell a command has words and quotes, and nothing else', async () => {
  const server = await serve([`exec:printf %s, a '$HOME *' "b \\"c\\"" d\\ e | f`]);
  expect(await exchange(server, '')).toBe('a,$HOME *,b "c",d e,|,f,');
});

test('stderr of a child goes to stderr of the server, escaped, with the address of the peer', async () => {
  const server = await serveShell("printf '\\033[31mred\\nrest' >&2; cat");
  const peer = await served(server);
  expect(await peer.ask('still there?')).toBe('still there?');
  await server.saw(new RegExp(`yodel: 127\\.0\\.0\\.1:${peer.port}#1: \\\\x1b\\[31mred\n`));
  peer.end();
  await server.saw(new RegExp(`yodel: 127\\.0\\.0\\.1:${peer.port}#1: rest\n`));
});

const ends = {
  'the peer ends': (peer: Peer) => peer.end(),
  'the peer disconnects': (peer: Peer) => peer.reset(),
};
for (const [when, end] of Object.entries(ends)) {
  test(`a child that ignores the end of its input and SIGTERM is killed when ${when}, with its children`, async () => {
    const hang = 'trap "" TERM; (trap "" TERM; while :; do sleep 1; done) & echo $$ $!; while :; do sleep 1; done';
    const server = await serveShell(hang, '--exec-timeout', '300ms');
    const peer = await served(server);
    const [, child, grandchild] = await peer.saw(/^(\d+) (\d+)\n/);
    end(peer);
    await allGone(Number(child), Number(grandchild));
    if (when === 'the peer ends') await peer.saw(/\nerror: the command did nothing for 300 ms\n$/);
    expect(childrenOf(server.pid)).toEqual([]);
    expect((await server.stop()).status).toBe(0);
  });
}

test('processes that a child leaves behind in its group are ended with it', async () => {
  const server = await serveShell('sleep 1000 & echo $!');
  const peer = await served(server);
  const [, left] = await peer.saw(/^(\d+)\n/);
  await allGone(Number(left));
  expect((await peer.ended).toString()).toBe(`${left}\n`);
});

test('a process that left the group and still has the pipes does not keep the session open', async () => {
  const server = await serveShell('setsid sleep 1000 & echo $!; sleep 0.2');
  const peer = await served(server);
  const [, escaped] = await peer.saw(/^(\d+)\n/);
  await peer.ended;
  for (const pid of [Number(escaped), Number(escaped) + 1]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // setsid forks only when it leads its group.
    }
  }
});

test('a child that floods waits for its peer, others are served, and memory stays flat', async () => {
  const server = await serve(['exec:yes', '--quiet', '--drain-timeout', 'off']);
  const flooded = await served(server);
  await flooded.sawBytes(1_000_000);
  flooded.socket.pause();
  await delay(300);
  const before = residentBytes(server.pid);
  const [child] = childrenOf(server.pid);
  await delay(700);
  expect(residentBytes(server.pid) - before).toBeLessThan(32_000_000);
  const other = await served(server);
  await other.saw(/^y\ny\n/);
  other.reset();
  flooded.reset();
  await allGone(child as number);
  await waitUntil('no child is left', () => childrenOf(server.pid).length === 0);
});

test('the peer of a child that does not read its input is not read', async () => {
  const server = await serveShell('echo ready; sleep 1000', '--quiet', '--exec-timeout', '4s');
  const peer = await served(server);
  await peer.saw(/ready/);
  const before = residentBytes(server.pid);
  const line = `${'x'.repeat(1023)}\n`;
  let written = 0;
  let isTaken = true;
  while (isTaken && written < 64_000_000) {
    isTaken = await Promise.race([peer.send(line.repeat(1024)).then(() => true), delay(1000, false)]);
    written += 1024 * 1024;
  }
  expect(written).toBeLessThan(64_000_000);
  expect(residentBytes(server.pid) - before).toBeLessThan(32_000_000);
  const [child] = childrenOf(server.pid);
  // The server does not read, so it does not notice the reset; the time-out ends the child.
  peer.reset();
  await allGone(child as number);
});

test('a child that does not read its pending input is terminated after the time-out', async () => {
  const server = await serveShell('exec sleep 1000', '--exec-timeout', '200ms');
  const peer = await served(server);
  void peer.send(`${'x'.repeat(1000)}\n`.repeat(1000)).catch(() => undefined);
  await peer.saw(/^error: the command did nothing for 200 ms\n/);
});

test('a child that dies ends only its own session, with the reason', async () => {
  const server = await serveShell('read -r line; case $line in die) kill -KILL $$;; *) echo "$line";; esac; cat');
  const [dying, other] = [await served(server), await served(server)];
  expect(await dying.ask('die')).toBe('error: the command was ended by SIGKILL');
  await dying.ended;
  expect(await other.ask('alive')).toBe('alive');
  await server.saw(/yodel: 127\.0\.0\.1:\d+#1: the command was ended by SIGKILL/);
});

test('an exit status other than 0 is logged, and the session ends normally', async () => {
  const server = await serveShell('echo bye; exit 3');
  const peer = await served(server);
  expect((await peer.ended).toString()).toBe('bye\n');
  await server.saw(/yodel: 127\.0\.0\.1:\d+#1: the command ended with status 3/);
});

test('a child for one message that hangs, dies, floods or prints nothing affects only that message', async () => {
  const script = [
    'read -r line; case $line in',
    'hang) sleep 1000;; die) kill -KILL $$;; flood) yes;; fail) exit 7;; nothing) ;; *) echo "$line";; esac',
  ].join(' ');
  const flags = ['--exec-per-message', '--exec-timeout', '1s', '--exec-max-output', '64KiB'];
  const server = await serveShell(script, ...flags);
  const peer = await served(server);
  expect(await peer.ask('hang')).toBe('error: the command took longer than 1 s');
  expect(await peer.ask('die')).toBe('error: the command was ended by SIGKILL');
  expect(await peer.ask('flood')).toBe('error: the command printed more than 65536 bytes');
  expect(await peer.ask('fail')).toBe('error: the command ended with status 7');
  expect(await peer.ask('nothing')).toBe('');
  expect(await peer.ask('fine')).toBe('fine');
  await waitUntil('no child is left', () => childrenOf(server.pid).length === 0);
});

test('a line without an end is cut at the output limit', async () => {
  const server = await serveShell('cat /dev/zero', '--exec-max-output', '100KiB');
  expect(await exchange(server, '')).toBe('error: the command printed a message of more than 102400 bytes\n');
});

test('everything a child printed arrives, even when it has exited and its peer is slow', async () => {
  const server = await serveShell('seq 200000');
  const peer = await served(server);
  peer.socket.pause();
  await delay(1000);
  peer.socket.resume();
  const lines = (await peer.ended).toString().split('\n');
  expect([lines.length, lines.at(-2)]).toEqual([200_001, '200000']);
});

test.each([
  ['one process', []],
  ['several', ['--workers', '2']],
])('%s: on shutdown children answer what arrived, and are killed if they do not exit', async (_, workers) => {
  const stubborn = 'trap "" TERM; echo $$; read -r line; echo "got $line"; while :; do sleep 0.1; done';
  const server = await serveShell(stubborn, '--shutdown-timeout', '1s', ...workers);
  const peer = await served(server);
  const [, child] = await peer.saw(/^(\d+)\n/);
  await peer.send('a\n');
  await peer.saw(/got a/);
  const { status } = await server.stop();
  expect(status).toBe(1);
  await allGone(Number(child));
});

test('a second signal ends the server at once, and no child survives', async () => {
  const server = await serveShell('trap "" TERM; echo $$; while :; do sleep 0.1; done');
  const [, child] = await (await served(server)).saw(/^(\d+)\n/);
  server.process.kill('SIGTERM');
  await server.saw(/exits at once/);
  expect((await server.stop()).status).toBe(143);
  await allGone(Number(child));
});

test.each([
  ['a missing program', ['exec:no-such-program'], /cannot run "no-such-program": it is not in PATH/],
  ['a missing file', ['exec:./nothing'], /cannot run "\.\/nothing": it is not a program/],
  ['no command', ['exec:'], /there is no command/],
  ['an open quote', ["exec:echo 'a"], /ends inside a quote/],
  ['a flag of exec without exec', ['echo', '--shell'], /--shell is for exec:COMMAND/],
  ['an invalid time-out', ['exec:cat', '--exec-timeout', 'soon'], /It takes a time such as/],
])('%s is a usage error', async (_, args, says) => {
  const { status, stderr } = await runLine(['serve', ...args, '--listen', '127.0.0.1:0']);
  expect(stderr).toMatch(says);
  expect(status).toBe(2);
});
