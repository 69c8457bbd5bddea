/** Prompts and other lines whose end has not arrived, on a terminal. */
import type { Socket } from 'node:net';
import { expect } from 'vitest';
import { listen } from '../../support/servers.ts';
import { connectTo, exitStatusIn } from '../../support/talk.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

/** A terminal with a client connected to a server, and the server's end of the connection. */
async function talk(args = '', terminal = new Terminal()): Promise<{ terminal: Terminal; socket: Socket }> {
  const accepted = Promise.withResolvers<Socket>();
  const { address } = await listen((socket) => accepted.resolve(socket));
  await connectTo(address, terminal, args);
  const socket = await accepted.promise;
  socket.resume();
  return { terminal, socket };
}

tmux('a prompt is shown although its line has no end, and completed in its place', async () => {
  const { terminal, socket } = await talk();
  socket.write('Welcome\nloading');
  await terminal.sees(/Ctrl-D ends\n< Welcome\n< loading\n>$/);
  socket.write(' ... done\n');
  await terminal.sees(/Ctrl-D ends\n< Welcome\n< loading \.\.\. done\n>$/);
  socket.write('[7%');
  await terminal.sees(/done\n< \[7%\n>$/);
  terminal.type('typed');
  socket.write('] [8%');
  await terminal.sees(/done\n< \[7%\] \[8%\n> typed$/);
});

tmux('a prompt stays above what is sent, and the rest of its line follows', async () => {
  const { terminal, socket } = await talk();
  socket.write('login: ');
  await terminal.sees(/\n< login:\n>$/);
  terminal.enter('ada');
  await terminal.sees(/\n< login:\n> ada\n>$/);
  socket.write('Password: ');
  await terminal.sees(/\n< login:\n> ada\n< … Password:\n>$/);
  terminal.enter('secret');
  await terminal.sees(/\n> secret\n>$/);
  socket.write('welcome\n');
  await terminal.sees(/\n< login:\n> ada\n< … Password:\n> secret\n< … welcome {2}[\d.]+ ms\n>$/);
});

tmux('a prompt is escaped, wraps, and remains when the connection is reset', async () => {
  const { terminal, socket } = await talk('', new Terminal({ width: 60 }));
  socket.write(`\x1b[2Jname ${'x'.repeat(60)}? `);
  await terminal.sees(/Ctrl-D ends\n< \\x1b\[2Jname x{60}\?\n>$/);
  socket.resetAndDestroy();
  await terminal.sees(/\n< \\x1b\[2Jname x{60}\?\n[\s\S]*broke: the peer reset the connection\n\$$/);
});

tmux('of a message that cannot be read yet, the number of bytes is shown', async () => {
  const { terminal, socket } = await talk('--framing netstring');
  socket.write('5:he');
  await terminal.sees(/\n< \(4 bytes of an unfinished message\)\n>$/);
  socket.write('llo,');
  await terminal.sees(/Ctrl-D ends\n< hello\n>$/);
});

tmux('the hex view shows a prompt as text, and its bytes when it is whole', async () => {
  const { terminal, socket } = await talk('--hex');
  socket.write('login: ');
  await terminal.sees(/Ctrl-D ends\n< \(7 bytes of an unfinished message: login: \)\n>$/);
  socket.write('\n');
  await terminal.sees(/Ctrl-D ends\n< 8 B\n00000000 {2}6c 6f 67 69 6e 3a 20 0a[^\n]*\n>$/);
});

tmux('a terminal without a movable cursor gets the rest of a prompt in a line of its own', async () => {
  const accepted = Promise.withResolvers<Socket>();
  const { address } = await listen((socket) => accepted.resolve(socket));
  const terminal = new Terminal();
  terminal.enter(`clear; TERM=dumb yodel connect ${address}`);
  const socket = await accepted.promise;
  socket.resume().write('login: ');
  await terminal.sees(/\n< login:$/);
  socket.write('denied\n');
  await terminal.sees(/\n< login:\n< … denied$/);
});

tmux('a character that has not arrived whole is not shown before, unless nothing follows', async () => {
  const { terminal, socket } = await talk();
  const name = Buffer.from('größe');
  socket.write(name.subarray(0, 3));
  await terminal.sees(/Ctrl-D ends\n< gr\n>$/);
  socket.write(name.subarray(3));
  await terminal.sees(/Ctrl-D ends\n< größe\n>$/);
  terminal.enter('x');
  socket.write(Buffer.from('日').subarray(0, 2));
  await terminal.sees(/\n> x\n>$/);
  socket.resetAndDestroy();
  await terminal.sees(/\n< größe\n> x\n< … \\xe6\\x97\n[^\n]*broke: the peer reset the connection\n\$$/);
});

tmux('what a server sent just before the connection broke is shown', async () => {
  const { terminal, socket } = await talk();
  socket.write('error: overload', () => setTimeout(() => socket.resetAndDestroy(), 50));
  await terminal.sees(/Ctrl-D ends\n< error: overload\n[^\n]*broke/);
});

tmux('a prompt is the reply to what precedes it, and not to what follows', async () => {
  const { terminal, socket } = await talk();
  terminal.enter('ada');
  await terminal.sees(/\n> ada\n>$/);
  socket.write('cmd> ');
  await terminal.sees(/\n< cmd>\n>$/);
  terminal.enter('one');
  terminal.enter('two');
  await terminal.sees(/\n> one\n> two\n>$/);
  terminal.press('C-d');
  await terminal.sees(/\nwaiting for 2 replies; Ctrl-C stops$/);
  socket.end();
  await terminal.sees(/\n2 messages got no reply before the server ended the connection\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(3);
});

tmux('a prompt that arrives after Ctrl-D is the reply that was waited for', async () => {
  const { terminal, socket } = await talk();
  terminal.enter('ada');
  await terminal.sees(/\n> ada\n>$/);
  terminal.press('C-d');
  await terminal.sees(/\nwaiting for 1 reply; Ctrl-C stops$/);
  socket.write('Password: ');
  await terminal.sees(/\n< Password:\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(0);
});
