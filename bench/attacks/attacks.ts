/** The attacks. Each is limited in connections, and what it sends is limited by what the server takes. */
import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { inTurn, keepOpen, pour } from './clients.ts';

export interface Attack {
  readonly name: string;
  /** What it does, after "beside". */
  readonly title: string;
  /** What is counted. */
  readonly unit: string;
  /** The handler of the server. Default: `echo`. */
  readonly handler?: string;
  /** The listener that the server opens for it and that it attacks. Default: the one for everybody. */
  readonly at?: 'ws' | 'tls' | 'metrics';
  /** Resolves when it is in full swing; it ends with the process. */
  begin(port: number, count: (done: number) => void): Promise<void>;
}

const block = 65_536;

export const attacks: readonly Attack[] = [
  {
    name: 'log-flood',
    title: 'one client that sends empty lines, 64 KiB at a time',
    unit: 'messages',
    async begin(port, count) {
      const lines = Buffer.alloc(block, '\n');
      await keepOpen(1, port, (socket) => {
        let missing = 0;
        const send = () => {
          missing += 2 * block;
          socket.write(lines);
          socket.write(lines);
        };
        socket.on('data', (chunk) => {
          count(chunk.length);
          missing -= chunk.length;
          if (missing <= 0) send();
        });
        send();
      });
    },
  },
  {
    name: 'metrics-flood',
    title: '8 clients that pipeline requests for /metrics, 3000 at a time, and 70 that request nothing',
    unit: 'requests',
    at: 'metrics',
    async begin(port, count) {
      const requests = 3000;
      const burst = Buffer.from('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(requests));
      await keepOpen(70, port, () => undefined);
      await keepOpen(8, port, (socket) => {
        let answered = 0;
        const send = () => {
          answered = 0;
          socket.write(burst);
        };
        socket.on('data', (chunk) => {
          const answers = occurrences(chunk, 'HTTP/1.1 ');
          count(answers);
          answered += answers;
          if (answered >= requests) send();
        });
        send();
      });
    },
  },
  {
    name: 'drippers',
    title: '2000 clients that add a byte to an unfinished line every second',
    unit: 'bytes',
    async begin(port, count) {
      const open = new Set<net.Socket>();
      await keepOpen(2000, port, (socket) => {
        open.add(socket);
        socket.on('close', () => open.delete(socket)).resume();
      });
      await inTurn(open, 1000, (socket) => {
        count(1);
        socket.write('x');
      });
    },
  },
  {
    name: 'never-readers',
    title: '50 clients that send as much as the server accepts, and read nothing',
    unit: 'bytes',
    async begin(port, count) {
      const lines = Buffer.from(`${'x'.repeat(63)}\n`.repeat(block / 64));
      await keepOpen(50, port, (socket) => {
        socket.pause();
        pour(socket, lines);
        socket.on('drain', () => count(block));
      });
    },
  },
  {
    name: 'fragments',
    title: '16 WebSocket clients that send messages in fragments of one byte, with a pong after each',
    unit: 'fragments',
    at: 'ws',
    async begin(port, count) {
      const fragments = 1000;
      const message = fragmentedMessage(fragments);
      await keepOpen(16, port, (socket) => {
        socket.write(upgradeRequest(port));
        socket.once('data', () => {
          pour(socket, message);
          // Its reply is one frame of `fragments` bytes, with a header of 4.
          socket.on('data', (chunk) => count((chunk.length * fragments) / (fragments + 4)));
        });
      });
    },
  },
  {
    name: 'uploads',
    title: '500 clients that send 1 MiB each in lines of 64 KiB, read it back, and begin again',
    unit: 'bytes',
    async begin(port, count) {
      const line = Buffer.from(`${'u'.repeat(block - 1)}\n`);
      const upload = Buffer.concat(Array.from({ length: 16 }, () => line));
      await keepOpen(500, port, (socket) => {
        let missing = 0;
        const send = () => {
          missing = upload.length;
          socket.write(upload);
        };
        socket.on('data', (chunk) => {
          count(chunk.length);
          missing -= chunk.length;
          if (missing <= 0) send();
        });
        send();
      });
    },
  },
  {
    name: 'handshakes',
    title: '64 clients at a time that begin a TLS handshake, wait for the answer, and reset',
    unit: 'handshakes',
    at: 'tls',
    async begin(port, count) {
      const hello = await clientHello();
      await keepOpen(64, port, (socket) => {
        socket.write(hello);
        socket.once('data', () => {
          count(1);
          socket.resetAndDestroy();
        });
      });
    },
  },
  {
    name: 'reconnects',
    title: '64 clients at a time that connect, send a line, and reset',
    unit: 'connections',
    async begin(port, count) {
      await keepOpen(64, port, (socket) => {
        count(1);
        socket.write('hello\n', () => socket.resetAndDestroy());
      });
    },
  },
  {
    name: 'exec-storm',
    title: '20 clients at a time that each start a program, wait at most 50 ms for a reply, and reset',
    unit: 'connections',
    handler: 'exec:cat',
    async begin(port, count) {
      await keepOpen(20, port, (socket) => {
        count(1);
        socket.write('hello\n');
        const over = () => socket.resetAndDestroy();
        const timer = setTimeout(over, 50);
        socket.once('data', over).on('close', () => clearTimeout(timer));
      });
    },
  },
];

function occurrences(chunk: Buffer, text: string): number {
  let count = 0;
  for (let at = chunk.indexOf(text); at !== -1; at = chunk.indexOf(text, at + text.length)) count++;
  return count;
}

/** The first message of a TLS 1.3 handshake, as a client of Node.js sends it. */
async function clientHello(): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return hello;
}

function upgradeRequest(port: number): string {
  return [
    'GET / HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    '\r\n',
  ].join('\r\n');
}

/** A text message in fragments of one byte, each followed by a pong. All are masked with zeros. */
function fragmentedMessage(fragments: number): Buffer {
  const frame = (first: number, payload: string) =>
    Buffer.concat([Buffer.of(first, 0x80 | payload.length, 0, 0, 0, 0), Buffer.from(payload)]);
  const pong = frame(0x8a, '');
  const parts = Array.from({ length: fragments }, (_, at) => {
    const opcode = at === 0 ? 1 : 0;
    return Buffer.concat([frame(at === fragments - 1 ? 0x80 | opcode : opcode, 'f'), pong]);
  });
  return Buffer.concat(parts);
}
