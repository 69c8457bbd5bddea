/** `yodel replay` of journals and transcripts. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { freePort } from '../../support/ports.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';
import { recorded } from './recorded.ts';

async function replay(file: string, address: string, ...flags: string[]) {
  const { stdout, stderr, status } = await yodel(['replay', file, address, ...flags]);
  return { text: stdout.toString(), stderr, status };
}

test('replays all sessions, and reports that all replies are as recorded', async () => {
  const { file } = await recorded('--journal-replies');
  const server = await serve(['--quiet', '--encoding', 'binary']);
  for (const speed of ['1', '10', 'max']) {
    const { text, stderr, status } = await replay(file, server.address, '--speed', speed);
    expect(text).toMatch(
      /^3 sessions, 5 messages sent in .*\n5 of 5 replies as recorded\nlatency {3}now .*p50 .*\n +recorded +p50 .*\n( +for \d of 5 messages; .*\n)?$/,
    );
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  }
});

test('reports different replies, with exit status 3', async () => {
  const { file } = await recorded('--journal-replies');
  const upper = join(temporaryFolder(), 'upper.mjs');
  writeFileSync(upper, 'export default ({ text }) => text.toUpperCase()');
  const server = await serve([upper, '--quiet', '--encoding', 'binary']);
  const { text, status } = await replay(file, server.address, '--speed', 'max', '--session', '1');
  expect(text).toMatch(/^session 1, message \d+: a different message\n {2}- hello\n {2}\+ HELLO\n/);
  expect(text).toMatch(/0 of 2 replies as recorded/);
  expect(status).toBe(3);
  const json = await replay(file, server.address, '--speed', 'max', '--session', '1', '--json');
  expect(JSON.parse(json.text)).toMatchObject({ sessions: 1, sent: 2, equal: 0, differences: 2, expected: 2 });
});

test('reports missing replies, and a server that refuses the connection', async () => {
  const { file } = await recorded('--journal-replies');
  const server = await serve(['discard', '--quiet']);
  const silent = await replay(file, server.address, '--speed', 'max', '--timeout', '100ms', '--session', '1');
  expect(silent.text).toMatch(/no message within 100 ms\n {2}- hello\nand 1 more difference\n/);
  expect(silent.status).toBe(3);
  const gone = await replay(file, `127.0.0.1:${await freePort()}`);
  expect(gone.stderr).toMatch(/^yodel: cannot connect to .*: connection refused/);
  expect(gone.status).toBe(1);
});

test('says that there is nothing to compare when no replies were recorded', async () => {
  const { file } = await recorded();
  const server = await serve(['--quiet', '--encoding', 'binary']);
  const { text, status } = await replay(file, server.address, '--speed', 'max');
  expect(text).toMatch(
    /^3 sessions, 5 messages sent in .*\n5 replies received; none was recorded, so there is nothing to compare\nlatency {3}not measured, .*\n$/,
  );
  expect(status).toBe(0);
});

test('each message waits for the replies the client had before it, at any speed', async () => {
  const file = join(temporaryFolder(), 'order.journal');
  const recording = await serve(['--quiet', '--journal', file, '--journal-replies']);
  const client = await dial(recording.port);
  for (let number = 0; number < 20; number++) await client.ask(`${number}`);
  client.end();
  await client.ended;
  await recording.stop();
  // Replies with an error when a message arrives before the previous one was answered.
  const strict = join(temporaryFolder(), 'strict.mjs');
  writeFileSync(strict, `export default { batch(batch) { return batch.count > 1 ? 'too early' : batch } };`);
  const server = await serve([strict, '--quiet']);
  const { text, status } = await replay(file, server.address, '--speed', 'max');
  expect(text).toContain('20 of 20 replies as recorded');
  expect(status).toBe(0);
});

test('replays clients with their original concurrency and pauses', async () => {
  const file = join(temporaryFolder(), 'many.journal');
  const recording = await serve(['--quiet', '--journal', file, '--journal-replies']);
  const clients = await Promise.all(Array.from({ length: 5 }, () => dial(recording.port)));
  await Promise.all(clients.map((client) => client.ask('all at once')));
  for (const client of clients) client.end();
  await Promise.all(clients.map(({ ended }) => ended));
  await recording.stop();
  const meeting = join(temporaryFolder(), 'meeting.mjs');
  // Answers when five clients are connected, and never for fewer.
  writeFileSync(
    meeting,
    `let here = 0; let go; const all = new Promise((resolve) => { go = resolve });
     export default { async message(message) { if (++here === 5) go(); await all; return message } };`,
  );
  const server = await serve([meeting, '--quiet']);
  const { text } = await replay(file, server.address);
  expect(text).toContain('5 of 5 replies as recorded');
});

test('clients of a killed server are gone when the next server starts', async () => {
  const file = join(temporaryFolder(), 'runs.journal');
  for (let round = 0; round < 3; round++) {
    const killed = await serve(['--quiet', '--journal', file, '--journal-replies']);
    await (await dial(killed.port)).ask(`round ${round}`);
    // A reply is recorded after it was sent.
    while (!(await yodel(['journal', 'cat', file])).stdout.includes(`< round ${round}`));
    await killed.stop('SIGKILL');
  }
  const server = await serve(['--quiet', '--max-connections', '1']);
  const { text, status } = await replay(file, server.address, '--speed', 'max');
  expect(text).toContain('3 of 3 replies as recorded');
  expect(status).toBe(0);
});

test('disconnects from a server that reads nothing', async () => {
  const file = join(temporaryFolder(), 'long.journal');
  const recording = await serve(['--quiet', '--journal', file]);
  await yodel(['connect', recording.address], { input: `${'x'.repeat(60_000)}\n`.repeat(400) });
  await recording.stop();
  const deaf = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  onTestFinished(() => void deaf.close());
  await once(deaf, 'listening');
  const address = `127.0.0.1:${(deaf.address() as AddressInfo).port}`;
  const { text, status } = await replay(file, address, '--speed', 'max', '--timeout', '300ms');
  expect(text).toMatch(/the server read nothing for 300 ms/);
  expect(status).toBe(3);
});

test('checks expected silence and the end of the connection', async () => {
  const file = join(temporaryFolder(), 'talk.transcript');
  const server = await serve(['--quiet']);
  writeFileSync(file, '> a\n@silence 1s\n');
  expect((await replay(file, server.address)).text).toMatch(
    /^line 2: a message where 1000 ms of silence was expected\n {2}\+ a\n/,
  );
  writeFileSync(file, '> a\n< a\n@closed\n');
  const { text, status } = await replay(file, server.address, '--timeout', '1s');
  expect(text).toMatch(/^line 3: the server did not end the connection within 1000 ms\n/);
  expect(status).toBe(3);
});

test('refuses to send messages of a WebSocket to a TCP server, and reports truncated messages', async () => {
  const file = join(temporaryFolder(), 'web.journal');
  const recording = await serve([
    '--quiet',
    '--journal',
    file,
    '--listen',
    'ws://127.0.0.1:0',
    '--journal-max-message',
    '3B',
  ]);
  const socket = new WebSocket(recording.address);
  socket.addEventListener('open', () => socket.send('hello'));
  await new Promise((resolve) => socket.addEventListener('message', resolve));
  socket.close();
  await recording.stop();
  const tcp = await serve(['--quiet']);
  expect((await replay(file, tcp.address, '--speed', 'max')).stderr).toMatch(
    /can only be played against a ws:\/\/ or wss:\/\/ address, not tcp:/,
  );
  const web = await serve(['--quiet', '--listen', 'ws://127.0.0.1:0']);
  const { text, status } = await replay(file, web.address, '--speed', 'max');
  expect(text).toMatch(/only its beginning was recorded and sent/);
  expect(status).toBe(3);
});

test('replays a transcript', async () => {
  const file = join(temporaryFolder(), 'talk.transcript');
  writeFileSync(file, '> hello\n< {greeting}\n> {greeting} again\n< /again$/\n');
  const server = await serve(['--quiet']);
  const { text, status } = await replay(file, server.address);
  expect(text).toMatch(/^1 session, 2 messages sent in .*\n2 of 2 replies as recorded\nlatency .*\n$/);
  expect(status).toBe(0);
  const empty = join(temporaryFolder(), 'empty.transcript');
  writeFileSync(empty, '# nothing yet\n');
  expect(await replay(empty, server.address)).toMatchObject({ text: '', status: 2 });
  const refused = await replay(file, server.address, '--session', '1');
  expect(refused.stderr).toMatch(/--session applies to journals only, and \S+ is a transcript/);
  expect(refused.status).toBe(2);
});

testWith('tmux', 'apt-get install tmux')('on a terminal a line shows how far it is', async () => {
  const file = join(temporaryFolder(), 'slow.journal');
  const recording = await serve(['--quiet', '--journal', file]);
  const client = await dial(recording.port);
  await client.ask('one');
  await delay(700);
  await client.ask('two');
  await recording.stop();
  const server = await serve(['--quiet']);
  const terminal = new Terminal();
  terminal.enter(`clear; yodel replay ${file} ${server.address}`);
  await terminal.sees(/1 of 2 messages {2}1 connection {2}0 differences/);
  await terminal.sees(/1 session, 2 messages sent in/);
});

test('a latency too short to be in a recording is shown as about zero', async () => {
  const file = join(temporaryFolder(), 'talk.transcript');
  writeFileSync(file, '> a\n< a\n> b\n#+ 6ms\n< b\n');
  const server = await serve(['--quiet']);
  const { text, status } = await replay(file, server.address);
  expect(text).toMatch(/\n +recorded +p50 +~0 ms .* max 6\.00 ms\n$/);
  expect(status).toBe(0);
});
