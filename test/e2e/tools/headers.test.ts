/** Headers, and the text and binary messages of WebSockets: recorded, checked and replayed. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { handlerFile, temporaryFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { type RunningServer, serve, yodel } from '../../support/process/command.ts';
import { recordedText } from '../../support/transcripts.ts';

const framing = ['--framing', 'length:2,offset=2'];

/** A server that records everything, and where. */
async function recorder(...flags: string[]) {
  const folder = temporaryFolder();
  const talks = join(folder, 'talks');
  const journal = join(folder, 'talks.journal');
  mkdirSync(talks);
  const recording = ['--record', talks, '--journal', journal, '--journal-replies'];
  const server = await serve(['--quiet', ...recording, ...flags]);
  const transcript = async () => {
    await server.stop();
    const [file = ''] = readdirSync(talks);
    return join(talks, file);
  };
  return { server, journal, transcript, exported: join(folder, 'exported') };
}

async function outcome(...args: string[]) {
  const { stdout, stderr, status } = await yodel(args);
  return { text: stdout.toString(), stderr, status };
}

async function recordIds() {
  const made = await recorder(...framing);
  const client = await dial(made.server.port);
  await client.send(Buffer.from('000100026869' + '00ff0002ff01', 'hex'));
  client.end();
  await client.ended;
  return { ...made, file: await made.transcript() };
}

test('headers are in recordings, and compared by check and replay', async () => {
  const { file, journal, exported } = await recordIds();
  const lines = [
    '@framing length:2,offset=2',
    '>h 00 01 | hi',
    '>x 00 ff | ff 01',
    '<h 00 01 | hi',
    '<x 00 ff | ff 01',
  ];
  expect(recordedText(file).split('\n').slice(1)).toEqual([...lines, '@close', '@closed', '']);
  expect((await outcome('journal', 'export', journal, exported)).status).toBe(0);
  expect(readFileSync(join(exported, '1.transcript'), 'utf8')).toContain(`${lines.slice(1).join('\n')}\n`);
  const same = await serve(['--quiet', ...framing]);
  expect(await outcome('check', file, join(exported, '1.transcript'), same.address)).toMatchObject({ status: 0 });
  expect(await outcome('replay', file, same.address)).toMatchObject({ status: 0 });
  expect(await outcome('replay', journal, same.address, '--speed', 'max')).toMatchObject({ status: 0 });
});

test('an answer with a wrong id is a difference', async () => {
  const { file, journal } = await recordIds();
  const handler = handlerFile(`export default ({ bytes }, session) => {
    session.write(Buffer.concat([Buffer.from([9, 9, 0, bytes.length]), bytes]), 1);
  };`);
  const wrong = await serve([handler, '--quiet', ...framing]);
  const checked = await outcome('check', file, wrong.address);
  expect(checked.text).toContain(': a different header\n');
  expect(checked.text).toContain('  - <h 00 01 | hi\n  + <h 09 09 | hi\n');
  expect(checked.text).toMatch(/; 0 of 2 messages as expected\n$/);
  expect(checked.status).toBe(3);
  for (const recording of [file, journal]) {
    const replayed = await outcome('replay', recording, wrong.address, '--speed', 'max');
    expect(replayed.text).toContain(': a different header\n  - 00 01 | hi\n  + 09 09 | hi\n');
    expect(replayed.text).toContain('0 of 2 replies as recorded');
    expect(replayed.status).toBe(3);
  }
});

test('a transcript without headers compares none, and a mock replies with that of the request', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'talk.transcript');
  writeFileSync(file, '@framing length:2,offset=2\n> hi\n< hello\n>h 00 07 | bye\n<h 00 08 | bye\n');
  const mock = await serve([file, '--quiet']);
  const client = await dial(mock.port);
  await client.send(Buffer.from('000500026869' + '00070003627965', 'hex'));
  client.end();
  expect((await client.ended).toString('hex')).toBe('0005000568656c6c6f' + '00080003627965');
  const again = await serve([file, '--quiet']);
  expect(await outcome('check', file, again.address)).toMatchObject({ status: 0 });
});

test('header lines are shown as text', async () => {
  const lines = ['--framing', 'headers'];
  const { server, transcript } = await recorder(...lines, '--log-format', 'text');
  const request = 'Content-Length: 7\r\nContent-Type: application/json\r\n\r\n{"a":1}';
  const sent = await yodel(['connect', server.address, ...lines], { input: request });
  expect(sent.stdout.toString()).toBe(request);
  const file = await transcript();
  const shown = 'h\\ Content-Type: application/json\\r\\n | {"a":1}';
  expect(recordedText(file).split('\n').slice(1, 4)).toEqual(['@framing headers', `>${shown}`, `<${shown}`]);
  const logging = await serve([...lines, '--log-format', 'text']);
  expect(await outcome('check', file, logging.address)).toMatchObject({ status: 0 });
  await logging.saw(/ 7 B Content-Type: application\/json\\r\\n \| \{"a":1\}\n/);
});

/** Sends messages one after another, each after the reply to the one before. */
async function converse(server: RunningServer, messages: readonly (string | Uint8Array<ArrayBuffer>)[]): Promise<void> {
  const socket = new WebSocket(server.address);
  onTestFinished(() => socket.close());
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  for (const message of messages) {
    socket.send(message);
    await new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }));
  }
  socket.close();
  await new Promise((resolve) => socket.addEventListener('close', resolve));
}

test('a WebSocket is recorded as messages with their kinds, and reads back', async () => {
  const web = ['--listen', 'ws://127.0.0.1:0'];
  const { server, journal, transcript, exported } = await recorder(...web);
  await converse(server, ['hello', 'two\nlines', Uint8Array.of(1, 2, 255), new Uint8Array(Buffer.from('A'))]);
  const file = await transcript();
  expect(readFileSync(file, 'utf8')).toMatch(/^# recorded .*, client \S+, server ws:\/\/127\.0\.0\.1:\d+\n/);
  const lines = [
    '> hello',
    '< hello',
    '>\\ two\\nlines',
    '<\\ two\\nlines',
    '>bx 01 02 ff',
    '<bx 01 02 ff',
    '>b A',
    '<b A',
  ];
  const expected = ['@framing websocket', ...lines, '@close', '@closed', ''];
  expect(recordedText(file).split('\n').slice(1)).toEqual(expected);
  expect((await outcome('journal', 'export', journal, exported)).status).toBe(0);
  const copy = join(exported, '1.transcript');
  expect(readFileSync(copy, 'utf8')).toMatch(/, server ws:\/\/127\.0\.0\.1:\d+\n@framing websocket\n/);
  expect(recordedText(copy).split('\n').slice(1)).toEqual(expected);
  expect((await outcome('journal', 'cat', journal, '--json')).text).toContain(
    '"kind":"binary","bytes":3,"base64":"AQL/"',
  );
  expect(await outcome('journal', 'verify', journal)).toMatchObject({ status: 0 });

  const same = await serve(['--quiet', ...web]);
  expect(await outcome('check', file, copy, same.address)).toMatchObject({ status: 0 });
  for (const recording of [file, journal]) {
    expect(await outcome('replay', recording, same.address, '--speed', 'max')).toMatchObject({ status: 0 });
  }
  const edited = temporaryFile('talk.transcript', recordedText(file).replace('<b A', '< A'));
  const checked = await outcome('check', edited, same.address);
  expect(checked.text).toContain(': a binary message instead of a text one\n');
  expect(checked.text).toContain('  - < A\n  + <b A\n');
  expect(checked.status).toBe(3);

  const tcp = await serve(['--quiet']);
  const refused = await outcome('check', file, tcp.address);
  expect(refused.text + refused.stderr).toMatch(
    /it was recorded over WebSocket, and can only be played against a ws:\/\/ or wss:\/\/ address/,
  );
  expect(refused.status).not.toBe(0);

  const mock = await serve([file, '--quiet', ...web]);
  expect(await outcome('check', file, mock.address)).toMatchObject({ status: 0 });
});

test('a protocol whose directions share state is played, recorded and replayed', async () => {
  const talk = ['< 220 ready', '> EHLO me', '<\\ 250-hello\\r\\n250 SIZE', '> DATA', '< 354 go'];
  const body = ['>\\ Subject: x\\r\\n\\r\\n.hi', '< 250 kept', '> QUIT', '< 221 bye', '@closed', '@close', ''];
  const lines = ['@protocol smtp', ...talk, ...body];
  const file = temporaryFile('smtp.transcript', lines.join('\n'));
  const { server, journal, transcript, exported } = await recorder(file);
  expect(await outcome('check', file, server.address)).toMatchObject({ status: 0, stderr: '' });
  const recorded = await transcript();
  expect(recordedText(recorded).split('\n').slice(1)).toEqual(lines);
  expect((await outcome('journal', 'export', journal, exported)).status).toBe(0);
  const copy = join(exported, '1.transcript');
  expect(recordedText(copy).split('\n').slice(1)).toEqual(lines);
  const again = await serve([copy, '--quiet']);
  expect(await outcome('replay', journal, again.address, '--speed', 'max')).toMatchObject({ status: 0 });
  const mail = ['--protocol', 'smtp', '--format', '%d %e\\n'];
  const expected = [...talk, ...body]
    .filter((line) => /^[<>]/.test(line))
    .map((line) => line.replace(/^(.)\\ /, '$1 '));
  const sent = await outcome('send', again.address, 'EHLO me', 'DATA', 'Subject: x\r\n\r\n.hi', 'QUIT', ...mail);
  expect(sent).toEqual({ text: `${expected.join('\n')}\n`, stderr: '', status: 0 });
  const input = 'EHLO me\r\nDATA\r\nSubject: x\r\n\r\n..hi\r\n.\r\nQUIT\r\n';
  const piped = await yodel(['connect', again.address, '--lockstep', ...mail], { input });
  expect(piped.stdout.toString()).toBe(`${expected.join('\n')}\n`);
  expect((await outcome('journal', 'ls', journal, '--json')).text).toContain('"protocol":"smtp"');
});
