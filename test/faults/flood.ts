/**
 * Connects and leaves, repeatedly: `flood.ts PORT TIMES`. Of four connections one ends at once, and three are reset: at once, in
 * the middle of a message, and when a message is answered.
 */
import * as net from 'node:net';

const [port = 0, times = 0] = process.argv.slice(2).map(Number);
const atOnce = 200;
let begun = 0;
let done = 0;

function leave(socket: net.Socket, how: number): void {
  if (how === 0) socket.destroy();
  else if (how === 1) socket.resetAndDestroy();
  else if (how === 2) socket.write('half a mess', () => socket.resetAndDestroy());
  else socket.on('data', () => socket.resetAndDestroy()).write('hello\n');
}

function next(): void {
  if (begun === times) return;
  const number = begun++;
  // Several source addresses: closed connections (TIME_WAIT) would use up the ports of one.
  const localAddress = `127.0.${1 + (number % 200)}.1`;
  const socket = net.connect({ port, host: '127.0.0.1', localAddress });
  socket.on('connect', () => leave(socket, number % 4));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    done++;
    if (done === times) process.stdout.write(`${JSON.stringify({ done })}\n`, () => process.exit(0));
    else next();
  });
}

for (let slot = 0; slot < atOnce; slot++) next();
