/** Prompts and other lines whose end has not arrived, on a terminal. */
import type { Socket } from 'node:net';
import { listen } from '../../support/servers.ts';
import { connectTo } from '../../support/talk.ts';
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
