/** Ctrl-D while replies are due, on a terminal. */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { listen } from '../../support/servers.ts';
import { connectTo, exitStatusIn } from '../../support/talk.ts';
import type { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

/** Sends two messages to a server that answers only when the test does, and presses Ctrl-D. */
async function endTooEarly(args = ''): Promise<{ terminal: Terminal; socket: Socket }> {
  const accepted = Promise.withResolvers<Socket>();
  const { address } = await listen((socket) => accepted.resolve(socket));
  const terminal = await connectTo(address, undefined, args);
  const socket = await accepted.promise;
  socket.resume();
  terminal.enter('one');
  terminal.enter('two');
  await terminal.sees(/\n> one\n> two\n>$/);
  terminal.press('C-d');
  return { terminal, socket };
}

const waiting = 'waiting for 2 replies; Ctrl-C stops\n';

tmux('Ctrl-D says what it waits for; with all replies the exit status is 0', async () => {
  const { terminal, socket } = await endTooEarly();
  await terminal.sees(new RegExp(`\\n>\\n${waiting.trimEnd()}$`));
  socket.end('1\n2\n');
  await terminal.sees(/stops\n< 1 {2}\d+ ms\n< 2 {2}\d+ ms\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(0);
});

tmux('Ctrl-C ends the waiting, with exit status 130', async () => {
  const { terminal } = await endTooEarly();
  await terminal.sees(/Ctrl-C stops$/);
  terminal.press('C-c');
  expect(await exitStatusIn(terminal)).toBe(130);
});

tmux('a server that is silent for --wait makes it exit status 4', async () => {
  const { terminal } = await endTooEarly('--wait 600ms');
  await terminal.sees(new RegExp(`${waiting}2 messages got no reply within 600ms \\(see --wait\\)\\n\\$$`));
  expect(await exitStatusIn(terminal)).toBe(4);
});

tmux('a server that ends without the replies makes it exit status 3', async () => {
  const { terminal, socket } = await endTooEarly();
  await terminal.sees(/Ctrl-C stops$/);
  socket.end('1\n');
  await terminal.sees(/\n< 1 {2}\d+ ms\n1 message got no reply before the server ended the connection\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(3);
});

tmux('what a server still sends after its replies is shown to its end', async () => {
  const { terminal, socket } = await endTooEarly();
  socket.write('1\n2\n');
  for (let line = 3; line <= 7; line++) {
    socket.write(`${line}\n`);
    await delay(300);
  }
  socket.end('last\n');
  await terminal.sees(/\n< 3\n[\s\S]*\n< last\n\$$/);
  expect(await exitStatusIn(terminal)).toBe(0);
});
