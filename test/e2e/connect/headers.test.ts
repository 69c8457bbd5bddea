/** Headers and WebSocket messages in `yodel connect` and `yodel send`: sent, printed and recorded. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { connectTo } from '../../support/talk.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';
import { recordedText } from '../../support/transcripts.ts';

const framing = ['--framing', 'length:2,offset=2'];
const web = ['--listen', 'ws://127.0.0.1:0'];
const tmux = testWith('tmux', 'apt-get install tmux');

async function outcome(args: readonly string[], input?: string | Buffer) {
  const { stdout, stderr, status } = await yodel(args, input === undefined ? {} : { input });
  return { text: stdout.toString('latin1'), stderr, status };
}

test('send takes a header, and prints that of the reply', async () => {
  const server = await serve([...framing, '--log-format', 'text']);
  const to = ['send', server.address, 'hi', ...framing];
  const format = ['--format', '%d %H %h|%m|\\n'];
  expect(await outcome([...to, '--header', '41 04', ...format])).toEqual({
    ...{ text: '> 41 04 A\x04|hi|\n< 41 04 A\x04|hi|\n', stderr: '', status: 0 },
  });
  await server.saw(/ 2 B 41 04 \| hi\n/);
  const json = await outcome([...to, '--header', 'text:A\\x04', '--json']);
  expect(json.text).toMatch(
    /^\{"direction":"sent",.*"header":"4104","bytes":2,"text":"hi"\}\n\{"direction":"received",.*"header":"4104",/,
  );
  expect((await outcome([...to, '--header', '41 04'])).text).toBe('A\x04\0\x02hi');
  expect((await outcome(to)).text).toBe('\0\0\0\x02hi');
});

test('the log has the header in JSON', async () => {
  const server = await serve([...framing, '--log-format', 'json']);
  await outcome(['send', server.address, 'hi', ...framing, '--header', '0102']);
  await server.saw(/"event":"message",.*"header":"0102","bytes":2,"text":"hi"\}/);
});

test.each([
  [[...framing, '--header', '00'], /the framing "length:2,offset=2" takes a header of 2 bytes, not of 1/],
  [['--header', '00'], /the framing "lines" has no header; omit --header/],
  [
    [...framing, '--header', 'x'],
    /--header: a header is hexadecimal digits, such as "00 04", or text: and text, not "x"/,
  ],
])('send %j is refused before it connects', async (flags, problem) => {
  const { stderr, status } = await outcome(['send', '127.0.0.1:1', 'hi', ...flags]);
  expect(stderr).toMatch(problem);
  expect(status).not.toBe(0);
});

test('connect in a pipe keeps headers, or sets them, and records them', async () => {
  const server = await serve([...framing, '--quiet']);
  const file = join(temporaryFolder(), 'talk.transcript');
  const input = Buffer.from('00070002' + '6869', 'hex');
  const kept = await outcome(['connect', server.address, ...framing, '--record', file], input);
  expect(kept.text).toBe(input.toString('latin1'));
  // The reply may come before the end of the input.
  expect(recordedText(file)).toMatch(/@framing length:2,offset=2\n>h 00 07 \| hi\n(?:@close\n)?<h 00 07 \| hi\n/);
  const set = await outcome(['connect', server.address, ...framing, '--header', '09 09'], input);
  expect(set.text).toBe('\t\t\0\x02hi');
});

test('send and connect speak WebSocket, in lines or any other framing, with text and binary messages', async () => {
  const server = await serve([...web, '--quiet']);
  expect(await outcome(['send', server.address, 'hi', 'two\nlines'])).toEqual({
    text: 'hi\ntwo\nlines\n',
    stderr: '',
    status: 0,
  });
  const kinds = await outcome(['send', server.address, 'hi', '--binary', '--format', '%d %k %e\\n']);
  expect(kinds.text).toBe('> binary hi\n< binary hi\n');
  const file = join(temporaryFolder(), 'talk.transcript');
  const piped = await outcome(['connect', server.address, '--record', file], 'a\nb\n');
  expect(piped).toEqual({ text: 'a\nb\n', stderr: '', status: 0 });
  expect(recordedText(file)).toMatch(/, server ws:\/\/127\.0\.0\.1:\d+\/\n@framing websocket\n> a\n/);
  expect((await outcome(['check', file, server.address])).status).toBe(0);
  const counted = await outcome(['connect', server.address, '--framing', 'length:1'], Buffer.from([1, 10, 2, 255, 0]));
  expect(counted).toEqual({ text: '\x01\n\x02\xff\0', stderr: '', status: 0 });
});

tmux('by hand, :header sets the header of what follows, and replies show theirs', async () => {
  const server = await serve([...framing, '--quiet']);
  const terminal = await connectTo(server.address, new Terminal(), framing.join(' '));
  terminal.enter(':header 00 04');
  await terminal.sees(/header 00 04\n/);
  terminal.enter('hello');
  await terminal.sees(/\n< 00 04 \| hello {2}[\d.]+ ms\n/);
  terminal.enter(':header');
  await terminal.sees(/no header\n/);
  terminal.enter('again');
  await terminal.sees(/\n< 00 00 \| again/);
  const file = join(temporaryFolder(), 'saved.transcript');
  terminal.enter(`:save ${file}`);
  await terminal.sees(/4 messages written/);
  expect(readFileSync(file, 'utf8')).toContain('>h 00 04 | hello\n<h 00 04 | hello\n>h 00 00 | again\n');
});

tmux('by hand, a header of text is shown as text', async () => {
  const server = await serve(['--framing', 'headers', '--quiet']);
  const terminal = await connectTo(server.address, new Terminal(), '--framing headers');
  terminal.enter(':header text:Content-Type: x\\r\\n');
  await terminal.sees(/\nheader Content-Type: x\\r\\n\n/);
  terminal.enter(':header text:Content-Type: x');
  await terminal.sees(/the header must be lines that end with CRLF.*its last line does not end with CRLF/s);
});

tmux('by hand over WebSocket, :binary sends binary messages', async () => {
  const server = await serve([...web, '--quiet']);
  const terminal = await connectTo(server.address, new Terminal(), '');
  terminal.enter('text');
  await terminal.sees(/\n< text {2}/);
  terminal.enter(':binary');
  terminal.enter('bytes');
  await terminal.sees(/\n< binary bytes {2}/);
  terminal.enter(':hex');
  terminal.enter('hi');
  // Not the frame: it is masked.
  await terminal.sees(/\n> binary 2 B\n0{8} {2}68 69 .*\|hi\|\n< binary 2 B .*\n0{8} {2}68 69 .*\|hi\|/);
  terminal.enter(':stats');
  await terminal.sees(/\nws:.*, framing websocket: connected/);
  terminal.enter(':header 00');
  await terminal.sees(/the framing "websocket" has no header/);
});
