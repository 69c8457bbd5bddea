/**
 * Many clients in a separate process, with its own limit of descriptors: `many-clients.ts PORT CLIENTS MESSAGES`.
 *
 * All connect and wait. When a line arrives on stdin, each sends its own messages, and compares every byte of the replies.
 * The result is one line of JSON.
 */
import { once } from 'node:events';
import * as net from 'node:net';

const [port = 0, clients = 0, messages = 0] = process.argv.slice(2).map(Number);
/** Connections opened at a time. More than the backlog of the listener would be retried only after a second. */
const atOnce = 256;

class Member {
  readonly #expected: Buffer;
  readonly #socket: net.Socket;
  #received = 0;
  #wrong = false;

  constructor(socket: net.Socket, number: number) {
    this.#socket = socket;
    // Of different lengths, so that they are split at different places.
    const all = Array.from(
      { length: messages },
      (_, at) => `client ${number} message ${at} ${'.'.repeat(number % 97)}\n`,
    );
    this.#expected = Buffer.from(all.join(''));
  }

  /** Sends everything in two writes that split a message, and ends. Resolves with whether exactly that came back. */
  async talk(): Promise<boolean> {
    const socket = this.#socket.on('data', (chunk: Buffer) => this.#compare(chunk));
    const middle = this.#expected.length >> 1;
    socket.write(this.#expected.subarray(0, middle));
    // The second write follows the first reply, so that the clients' messages interleave on the server.
    await once(socket, 'data');
    socket.end(this.#expected.subarray(middle));
    await once(socket, 'close');
    return !this.#wrong && this.#received === this.#expected.length;
  }

  #compare(chunk: Buffer): void {
    const expected = this.#expected.subarray(this.#received, this.#received + chunk.length);
    if (!chunk.equals(expected)) this.#wrong = true;
    this.#received += chunk.length;
  }
}

async function connect(number: number): Promise<Member> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  return new Member(socket, number);
}

const members: Member[] = [];
for (let from = 0; from < clients; from += atOnce) {
  const group = Array.from({ length: Math.min(atOnce, clients - from) }, (_, at) => connect(from + at));
  members.push(...(await Promise.all(group)));
}
process.stdout.write(`${JSON.stringify({ connected: members.length })}\n`);
await once(process.stdin, 'data');
const results = await Promise.all(members.map((member) => member.talk().catch(() => false)));
process.stdout.write(`${JSON.stringify({ satisfied: results.filter(Boolean).length })}\n`);
process.exit(0);
