import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { handlerFile } from '../../support/files.ts';
import { closedLine } from '../../support/log.ts';
import { dial } from '../../support/peer.ts';
import { freePort } from '../../support/ports.ts';
import { type RunningServer, serve } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';
import { connectTo, exitStatusIn } from '../../support/talk.ts';
import { Terminal, type TerminalOptions } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

interface Talk {
  readonly terminal: Terminal;
  readonly server: RunningServer;
}

/** A server, and a terminal with a client connected to it. */
async function talk(serveArgs: readonly string[] = [], options: TerminalOptions = {}, args = ''): Promise<Talk> {
  const server = await serve(serveArgs);
  return { server, terminal: await connectTo(server.address, new Terminal(options), args) };
}

/** Echoes, and sends what follows "tell: " to all sessions. */
const tellingHandler = `
  const sessions = new Set();
  export default {
    open: (session) => void sessions.add(session),
    close: (session) => void sessions.delete(session),
    message(message) {
      if (!message.text.startsWith('tell: ')) return message;
      for (const session of sessions) session.send(message.text.slice(6));
    },
  };
`;

async function talkAndTell(options: TerminalOptions = {}): Promise<Talk & { tell: (text: string) => Promise<void> }> {
  const { server, terminal } = await talk([handlerFile(tellingHandler)], options);
  const teller = await dial(server.port);
  return { server, terminal, tell: (text) => teller.send(`tell: ${text}\n`) };
}

tmux('a line can be edited before it is sent', async () => {
  const { terminal, server } = await talk();
  terminal.type('wrold');
  terminal.press('Left', 'Left', 'Left', 'Left', 'BSpace', 'End');
  await terminal.sees(/\n> rold$/);
  terminal.type('!');
  terminal.press('C-a');
  terminal.type('hello w');
  await terminal.sees(/\n> hello wrold!$/);
  terminal.press('Enter');
  await terminal.sees(/\n< hello wrold! {2}/);
  terminal.type('forget this');
  terminal.press('C-u');
  await terminal.sees(/\n>$/);
  terminal.type('one two');
  terminal.press('C-w');
  terminal.type('three');
  await terminal.sees(/\n> one three$/);
  terminal.press('Enter');
  await server.saw(/9 B one three\n/);
});

tmux('the history is kept between runs, in a file that only its owner can read', async () => {
  const { terminal, server } = await talk();
  for (const line of ['first', 'second', 'second', 'third']) {
    terminal.enter(line);
    await terminal.sees(new RegExp(`< ${line}[^<]*>$`));
  }
  terminal.press('C-d');
  await terminal.sees(/\n\$$/);
  const file = join(terminal.stateFolder, 'yodel', 'history');
  expect(readFileSync(file, 'utf8')).toBe('first\nsecond\nthird\n');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);

  await connectTo(server.address, terminal);
  terminal.press('Up');
  await terminal.sees(/\n> third$/);
  terminal.press('Up');
  await terminal.sees(/\n> second$/);
  terminal.press('Up');
  await terminal.sees(/\n> first$/);
  terminal.press('Down', 'Enter');
  await terminal.sees(/\n< second/);
});

tmux('an unsolicited message leaves the typed line intact', async () => {
  const { terminal, server, tell } = await talkAndTell();
  terminal.type('half typd');
  terminal.press('Left');
  await terminal.sees(/> half typd$/);
  await tell('news');
  await terminal.sees(/\n< news\n> half typd$/);
  await tell('more news');
  await terminal.sees(/\n< news\n< more news\n> half typd$/);
  terminal.type('e');
  await terminal.sees(/\n> half typed$/);
  terminal.press('Enter');
  await terminal.sees(/\n> half typed\n< half typed {2}\d/);
  await server.saw(/10 B half typed\n/);
});

tmux('an unsolicited message has no round-trip time', async () => {
  const { terminal, tell } = await talkAndTell();
  await tell('news');
  await terminal.sees(/\n< news\n>$/);
});

tmux('messages of any length leave a long typed line intact', async () => {
  const { terminal, server, tell } = await talkAndTell({ width: 40, height: 12 });
  const line = 'This line is longer than the terminal is wide, and goes on below.';
  terminal.type(line);
  await terminal.sees(/and goes on below\.$/);
  terminal.press('Left', 'Left', 'Left', 'Left', 'Left', 'Left');
  await tell('short');
  await terminal.sees(/Ctrl-D ends\n< short\n> This line [^\n]* below\.$/);
  await tell('x'.repeat(100));
  await terminal.sees(/Ctrl-D ends\n< short\n< x{100}\n> This line [^\n]* below\.$/);
  terminal.type('here ');
  await terminal.sees(/Ctrl-D ends\n< short\n< x{100}\n> This line [^\n]* on here below\.$/);
  terminal.press('Enter');
  await server.saw(/70 B This line .* on here below\.\n/);
});

tmux('many messages at once leave the typed line intact', async () => {
  const { terminal, server, tell } = await talkAndTell();
  terminal.type('still here');
  await terminal.sees(/> still here$/);
  for (let number = 1; number <= 100; number++) await tell(`message ${number}`);
  await terminal.sees(/< message 99\n< message 100\n> still here$/);
  terminal.press('Enter');
  await server.saw(/10 B still here\n/);
});

tmux('Chinese, combining characters and emoji can be typed, edited and echoed', async () => {
  const { terminal, server } = await talk();
  terminal.type('你好，世界 👋');
  terminal.press('Enter');
  await terminal.sees(/> 你好，世界 👋\n< 你好，世界 👋 {2}\d/);
  terminal.type('你们');
  terminal.press('BSpace');
  terminal.type('好 👋👋');
  terminal.press('BSpace', 'Enter');
  await server.saw(/11 B 你好 👋\n/);
  await terminal.sees(/\n< 你好 👋 {2}\d/);
});

tmux('Ctrl-D ends the client after the pending replies, with exit status 0', async () => {
  const slow = handlerFile(`
    import { setTimeout as delay } from 'node:timers/promises';
    export default async (message) => (await delay(300), message);
  `);
  const { terminal } = await talk([slow]);
  terminal.enter('hello');
  terminal.press('C-d');
  await terminal.sees(/> hello\n>\n(waiting for 1 reply; Ctrl-C stops\n)?< hello {2}\d+ ms\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(0);
});

tmux('Ctrl-D in a line does not end the client', async () => {
  const { terminal, server } = await talk();
  terminal.type('abc');
  terminal.press('C-a', 'C-d', 'End', 'C-d');
  terminal.press('Enter');
  await server.saw(/2 B bc\n/);
});

tmux('Ctrl-C clears the typed line; on an empty line it ends the client with exit status 130', async () => {
  const { terminal, server } = await talk();
  terminal.type('do not send this');
  await terminal.sees(/this$/);
  terminal.press('C-c');
  await terminal.sees(/> do not send this\^C\n>$/);
  terminal.enter('but this');
  await terminal.sees(/< but this/);
  terminal.press('C-c');
  await terminal.sees(/\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(130);
  await server.saw(closedLine(1, '.'));
  expect(server.stdout()).not.toContain('do not send this');
});

tmux('Ctrl-Z suspends the client, and fg resumes it with the typed line', async () => {
  const { terminal } = await talk();
  terminal.type('half');
  await terminal.sees(/> half$/);
  terminal.press('C-z');
  await terminal.sees(/Stopped|Suspended/);
  await terminal.sees(/\n\$$/);
  terminal.enter('fg');
  await terminal.sees(/\n> half$/);
  terminal.type(' typed');
  await terminal.sees(/\n> half typed$/);
  terminal.press('Enter');
  await terminal.sees(/\n< half typed {2}\d/);
});

tmux('SIGTERM ends the client and restores the terminal', async () => {
  const { terminal } = await talk();
  terminal.type('half');
  await terminal.sees(/> half$/);
  process.kill(terminal.processIn(), 'SIGTERM');
  await terminal.sees(/> half\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(143);
});

tmux('--count ends the client after this number of messages', async () => {
  const { terminal } = await talk([], {}, '--count 2');
  terminal.enter('one');
  await terminal.sees(/< one/);
  terminal.enter('two');
  await terminal.sees(/< two {2}.*\n+\$$/);
  expect(await exitStatusIn(terminal)).toBe(0);
});

tmux('the client ends with a notice when the server ends the connection', async () => {
  const { terminal, server } = await talk();
  terminal.enter('hello');
  await terminal.sees(/< hello/);
  await server.stop();
  await terminal.sees(/the server ended the connection\n\$$/);
});

tmux('the client ends with a notice when the server is killed, and restores the terminal', async () => {
  const { terminal, server } = await talk();
  terminal.type('half');
  await terminal.sees(/> half$/);
  await server.stop('SIGKILL');
  await terminal.sees(/> half\n(the server ended the connection|yodel: the connection to .* broke.*)\n\$$/);
  terminal.enter('echo "still a te""rminal"');
  await terminal.sees(/\nstill a terminal\n\$$/);
});

tmux('a broken connection is one line and exit status 1', async () => {
  const { address } = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const terminal = await connectTo(address);
  terminal.enter('hello');
  await terminal.sees(/> hello\nyodel: the connection to tcp:.* broke: the peer reset the connection\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(1);
});

tmux('an error reply of the server is shown before the end', async () => {
  const { terminal } = await talk(['--max-message', '5']);
  terminal.enter('much too long');
  await terminal.sees(/< error: message 1 is longer than the limit of 5 bytes.*\n.*the server ended the connection/);
});

tmux('nothing a server sends can control the terminal', async () => {
  const { address } = await listen((socket) => {
    socket.write('\x1b[2J\x1b]0;pwned\x07red \x1b[31m\u009b31m \u202egnp.exe \r> fake\n');
    socket.write(Buffer.from([0xff, 0x1b, 0x0a]));
  });
  const terminal = await connectTo(address);
  await terminal.sees(/\\xff\\x1b/);
  const screen = terminal.screen({ styles: true });
  expect(screen).toContain('\\x1b[2J\\x1b]0;pwned\\x07red \\x1b[31m\\x9b31m \\u202egnp.exe \\r> fake');
  // The colours of yodel itself are allowed.
  expect(screen).not.toContain('\x1b[31m');
});

tmux('a refused connection is one line and exit status 1', async () => {
  const terminal = new Terminal();
  terminal.enter(`yodel connect :${await freePort()}`);
  await terminal.sees(
    /yodel: cannot connect to tcp:\/\/127\.0\.0\.1:\d+: connection refused: nothing listens there\n\$$/,
  );
  expect(await exitStatusIn(terminal)).toBe(1);
});

tmux('text pasted at once is sent line by line', async () => {
  const { terminal, server } = await talk();
  terminal.type('one\ntwo\nthree\n');
  await server.saw(/3 B one\n[\s\S]*3 B two\n[\s\S]*5 B three\n/);
  await terminal.sees(/< three/);
});

tmux('a line of 10,000 characters can be pasted', async () => {
  const { terminal, server } = await talk();
  terminal.type('0123456789'.repeat(1000));
  terminal.press('Enter');
  await server.saw(/ 10000 B 0123456789/);
});
