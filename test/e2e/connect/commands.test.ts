/** `yodel connect` on a terminal: search, completion, commands, reconnecting. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { freePort } from '../../support/ports.ts';
import { type RunningServer, serve } from '../../support/process/command.ts';
import { waitUntil } from '../../support/process/process.ts';
import { listen } from '../../support/servers.ts';
import { connectTo, exitStatusIn } from '../../support/talk.ts';
import { Terminal, type TerminalOptions } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';
import { recordedText } from '../../support/transcripts.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

async function talk(
  args = '',
  options: TerminalOptions = {},
  serveArgs: readonly string[] = [],
): Promise<{ terminal: Terminal; server: RunningServer }> {
  const server = await serve(serveArgs);
  return { server, terminal: await connectTo(server.address, new Terminal(options), args) };
}

tmux('Ctrl-R searches the history, and Enter sends the line found', async () => {
  const { terminal, server } = await talk();
  for (const line of ['get alpha', 'get beta', 'put gamma']) terminal.enter(line);
  await terminal.sees(/< put gamma/);
  terminal.press('C-r');
  await terminal.sees(/\nsearch "":$/);
  terminal.type('get');
  await terminal.sees(/\nsearch "get": get beta$/);
  terminal.press('C-r');
  await terminal.sees(/\nsearch "get": get alpha$/);
  terminal.press('C-r');
  await terminal.sees(/\nnot found "get": get alpha$/);
  terminal.press('Enter');
  await terminal.sees(/\n> get alpha\n< get alpha {2}[\d.]+ ms\n>$/);
  terminal.press('C-r');
  terminal.type('gam');
  await terminal.sees(/\nsearch "gam": put gamma$/);
  terminal.press('Escape');
  await terminal.sees(/\n> put gamma$/);
  terminal.press('End');
  terminal.type('!');
  terminal.press('Enter');
  await server.saw(/10 B put gamma!\n/);
});

tmux('an unsolicited message does not disturb a search', async () => {
  const { address } = await listen((socket) => socket.on('data', () => setTimeout(() => socket.write('news\n'), 300)));
  const terminal = await connectTo(address);
  terminal.enter('alpha');
  terminal.press('C-r');
  terminal.type('al');
  await terminal.sees(/\n< news.*\nsearch "al": alpha$/);
});

tmux('--record writes the conversation as a transcript', async () => {
  const file = join(temporaryFolder(), 'talk.transcript');
  const { terminal } = await talk(`--record ${file}`);
  for (const line of ['hello', '/no pattern/']) terminal.enter(line);
  await terminal.sees(/< \/no pattern\//);
  terminal.press('C-d');
  expect(await exitStatusIn(terminal)).toBe(0);
  const [about, ...lines] = recordedText(file).split('\n');
  expect(about).toMatch(/^# recorded .*, server tcp:\/\/127\.0\.0\.1:\d+$/);
  const said = ['> hello', '< hello', '>\\ \\/no pattern/', '<\\ \\/no pattern/'];
  expect(lines.sort()).toEqual(['', ...said, '@framing lines', '@close'].sort());
});

tmux('a transcript that cannot be written ends the conversation with one line', async () => {
  const { address } = await serve();
  const terminal = new Terminal();
  terminal.enter(`clear; yodel connect ${address} --record /dev/full`);
  await terminal.sees(/^connected to [^\n]*\nyodel: cannot record into \/dev\/full: /);
  expect(await exitStatusIn(terminal)).toBe(1);
});

tmux('Tab completes a command, and lists several matches', async () => {
  const { terminal } = await talk();
  terminal.type(':sa');
  terminal.press('Tab');
  await terminal.sees(/\n> :save$/);
  terminal.press('C-u');
  terminal.type(':h');
  terminal.press('Tab', 'Tab');
  await terminal.sees(/\nhelp {2}header {2}hex\n> :he$/);
});

tmux(':help lists the commands, a mistyped one is not sent, and :: sends a colon', async () => {
  const { terminal, server } = await talk();
  terminal.enter(':help');
  await terminal.sees(/\n:send TEXT {2,}.*\n[\s\S]*\n:quit {2,}/);
  terminal.enter(':hlep');
  await terminal.sees(/\n> :hlep\nunknown command ":hlep"\. Did you mean "help"\?/);
  terminal.enter('::join #room');
  await terminal.sees(/\n> :join #room\n< :join #room/);
  terminal.enter(':quit');
  await terminal.sees(/\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(0);
  expect(server.stdout()).not.toContain('hlep');
});

tmux(':send sends bytes written as escapes, and :hex shows them as hexdump does, with their framing', async () => {
  const { terminal, server } = await talk('', {}, ['--encoding', 'binary']);
  terminal.enter(':hex');
  terminal.enter(':send \\x02ABC\\xff\\x03');
  const row = '00000000  02 41 42 43 ff 03 0a +\\|\\.ABC\\.\\.\\.\\|';
  await terminal.sees(new RegExp(`\\n> 7 B\\n${row}\\n< 7 B {2}[\\d.]+ ms\\n${row}\\n>$`));
  terminal.enter(':hex off');
  terminal.enter(':send a\\q');
  await terminal.sees(/\n> a\\q\nunknown escape "\\q"; [^\n]*\n>$/);
  terminal.enter('a\\x41');
  await server.saw(/5 B a\\x41\n/);
});

tmux('--escapes interprets escapes in every line; --hex, --timestamps and --crlf apply from the start', async () => {
  const { terminal } = await talk('--escapes --hex --timestamps -C');
  terminal.enter('a\\x42c');
  const row = '00000000  61 42 63 0d 0a .*\\|aBc\\.\\.\\|';
  const time = '\\d\\d:\\d\\d:\\d\\d\\.\\d\\d\\d';
  await terminal.sees(new RegExp(`\\n${time} > 5 B\\n${row}\\n${time} < 5 B {2}[\\d.]+ ms\\n${row}\\n>$`));
});

tmux('a hex dump fits a narrow terminal', async () => {
  const { terminal } = await talk('--hex', { width: 50 });
  terminal.enter('twelve bytes');
  await terminal.sees(/\n< 13 B .*\n00000000 {2}74 77 65 6c 76 65 20 62 {2}\|twelve b\|\n00000008 .*\|ytes\.\|\n>$/);
});

tmux('a length framing works on a terminal', async () => {
  const server = await serve(['--framing', 'length:2']);
  const terminal = await connectTo(server.address, new Terminal(), '--framing length:2 --hex');
  terminal.enter('hi');
  await terminal.sees(/\n< 4 B .*\n00000000 {2}00 02 68 69 /);
});

tmux(':repeat sends a text several times, and Ctrl-C stops it', async () => {
  const { terminal } = await talk();
  terminal.enter(':repeat 3 hello');
  await terminal.sees(/(\n> hello[\s\S]*){3}(\n< hello[\s\S]*)/);
  terminal.enter(':stats');
  await terminal.sees(
    /\nsent {6}3 messages, 15 B\nreceived {2}3 messages, 15 B\nreplies {3}p50 [\d.]+ ms, .* max [\d.]+ ms\n>$/,
  );
  terminal.enter(':repeat 1000 10ms again');
  await terminal.sees(/< again[\s\S]*< again/);
  terminal.press('C-c');
  await terminal.sees(/\n:repeat stopped after \d+ of 1000\n/);
  terminal.enter(':repeat nonsense');
  await terminal.sees(/usage: :repeat N \[INTERVAL\] TEXT/);
});

tmux(':save writes the conversation, and never overwrites a file it did not write', async () => {
  const { terminal } = await talk('', {}, ['--encoding', 'binary']);
  const file = join(temporaryFolder(), 'talk.txt');
  terminal.enter('hello');
  await terminal.sees(/< hello/);
  terminal.enter(':send \\x02\\t\\xff');
  await terminal.sees(/< \\x02/);
  terminal.enter(`:save ${file}`);
  await terminal.sees(/4 messages written to/);
  const saved = '@framing lines\n> hello\n< hello\n>x 02 09 ff\n<x 02 09 ff\n';
  expect(readFileSync(file, 'utf8')).toBe(saved);
  terminal.enter(':save /etc/hostname');
  await terminal.sees(/\/etc\/hostname already exists/);
  terminal.enter('more');
  await terminal.sees(/< more/);
  terminal.enter(`:save ${file}`);
  await terminal.sees(/6 messages written to/);
  expect(readFileSync(file, 'utf8')).toBe(`${saved}> more\n< more\n`);
});

tmux('with --reconnect the prompt shows when the client is not connected, and a line entered then stays', async () => {
  const port = await freePort();
  const terminal = new Terminal();
  terminal.enter(`clear; yodel connect :${port} --reconnect`);
  await terminal.sees(/cannot connect to .*; trying again\nnot connected>$/);
  terminal.enter('early');
  await terminal.sees(/not connected: the line was not sent; .*\nnot connected> early$/);
  const first = await serve(['--listen', `127.0.0.1:${port}`]);
  await terminal.sees(/\nconnected to .*\n> early$/);
  terminal.press('Enter');
  await terminal.sees(/\n> early\n< early {2}[\d.]+ ms\n>$/);
  await first.stop();
  await terminal.sees(/\nthe server ended the connection; trying again\n[\s\S]*not connected>$/);
  const second = await serve(['--listen', `127.0.0.1:${port}`]);
  await terminal.sees(/\nreconnected to .*\n>$/);
  terminal.enter('late');
  await second.saw(/4 B late\n/);
  expect(second.stdout()).not.toContain('early');
});

tmux('a paste while not connected waits, and Ctrl-C discards it with a notice', async () => {
  const port = await freePort();
  const terminal = new Terminal();
  terminal.enter(`clear; yodel connect :${port} --reconnect`);
  await terminal.sees(/not connected>$/);
  terminal.paste('one\ntwo\n');
  terminal.press('C-c');
  await terminal.sees(/\n2 lines not sent\nnot connected>$/);
  terminal.paste('three\nfour\nfive');
  await terminal.sees(/\nnot connected> five$/);
  const server = await serve(['--listen', `127.0.0.1:${port}`]);
  await server.saw(/5 B three\n[\s\S]*4 B four\n/);
  await terminal.sees(/\n> five$/);
  expect(server.stdout()).not.toMatch(/one|two|five/);
});

tmux(':reconnect opens a new connection', async () => {
  const { terminal, server } = await talk();
  terminal.enter(':reconnect');
  await terminal.sees(/\nreconnected to .*\n>$/);
  terminal.enter('hello');
  await server.saw(/#2 5 B hello\n/);
});

tmux('--raw shows the colours of the server, and ends them after the message', async () => {
  const { address } = await listen((socket) => socket.write('\x1b[31mred\n'));
  const terminal = await connectTo(address, new Terminal(), '--raw');
  await terminal.sees(/< red/);
  terminal.type('typed');
  await terminal.sees(/> typed$/);
  expect(terminal.screen({ styles: true })).toContain('\x1b[31mred\n\x1b[39m> typed');
});

/** The pattern of a joiner or a variation selector in the log. */
function escaped(character: string): string {
  return `\\\\u${character.charCodeAt(0).toString(16)}`;
}

/** Answers each line after a delay, while the test types the next. */
const answerLater = `
  import { setTimeout as delay } from 'node:timers/promises';
  export default async (message) => (await delay(500), message);
`;

for (const [what, typed] of [
  ['Chinese', '你好世界，你好世界，你好世界，你好世界，你好世界'],
  ['combining marks', 'e\u0301o\u0308a\u0300'.repeat(20)],
  ['joined emoji', '👨‍👩‍👧 ❤️ 🇩🇪 👍🏽 '.repeat(6).trim()],
  ['a mixture', 'abc你好👋e\u0301'.repeat(7)],
] as const) {
  tmux(`a message leaves a typed line of several rows intact: ${what}`, async () => {
    const { terminal, server } = await talk('', { width: 24, height: 20 }, [handlerFile(answerLater)]);
    terminal.enter('x');
    terminal.type(typed);
    terminal.press('Left', 'Left');
    await terminal.sees(/\n< x {2}\d+ ms\n> /);
    const rows = terminal.screen().split('\n');
    const shown = rows.slice(rows.findIndex((row) => row.startsWith('< x')) + 1).join('');
    expect(shown.replaceAll(' ', '')).toBe(`>${typed}`.replaceAll(' ', ''));
    terminal.press('End');
    terminal.type('!');
    terminal.press('Enter');
    await server.saw(new RegExp(`B ${typed.replace(/[\u200d\ufe0f]/g, escaped)}!\\n`));
  });
}

tmux('a line taller than the terminal can be edited, and messages appear above it', async () => {
  const { terminal, server } = await talk('', { width: 20, height: 6 }, [handlerFile(answerLater)]);
  terminal.enter('x');
  terminal.type('0123456789'.repeat(30));
  await waitUntil('a message has come', () => terminal.history().includes('\n< x  '));
  terminal.press('C-a');
  terminal.type('first ');
  await terminal.sees(/> first 0123/);
  terminal.press('C-e');
  terminal.type(' last');
  terminal.press('Enter');
  await server.saw(/ 311 B first 0123.*789 last\n/);
  await terminal.sees(/789 last {2}\d+ ms\n>$/);
  expect(terminal.history()).toMatch(/\n< x {2}\d+ ms\n> first (0123456789){30} last\n< first 0/);
});

// On a busy machine the program may learn of a new size after a key, and cannot be right then.
tmux('resizing the window leaves the typed line intact', { retry: 2 }, async () => {
  const { terminal, server } = await talk('', { width: 60, height: 20 });
  const line = 'this line fits a wide window, and takes several rows of a narrow one';
  terminal.type(line);
  terminal.press('Left', 'Left', 'Left');
  await terminal.sees(new RegExp(`Ctrl-D ends\\n> ${line}$`));
  for (const width of [30, 20, 45, 70, 24]) {
    await terminal.resize(width, 20);
    // Each key is on the screen before the next resize: a client that draws while the terminal reflows cannot be right.
    terminal.type('x');
    await terminal.sees(new RegExp(`> ${line.slice(0, -3)}x${line.slice(-3)}$`));
    terminal.press('BSpace');
    await terminal.sees(new RegExp(`> ${line}$`));
    await expect.poll(() => terminal.lines().match(/this line/g)).toHaveLength(1);
  }
  terminal.press('Enter');
  await server.saw(new RegExp(`B ${line}\\n`));
});
