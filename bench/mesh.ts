/**
 * The ways between two workers of one machine, in the same run:
 *
 *     node bench/mesh.ts        bun bench/mesh.ts        (arguments: how many rounds, and one of the ways)
 *
 * | Way             | |
 * |-----------------|---|
 * | `mesh`          | yodel's, with the bridge of its rooms: text in, messages out |
 * | `socket`        | the bound: a plain Unix socket, what is sent in a turn joined into one write, nothing decoded |
 * | `ipc`           | `process.send` for each message, which two workers have only through their parent |
 * | `ipc, joined`   | the same, once for all that is sent in a turn |
 * | `ipc to parent` | joined, but half of the way: to the parent, and not to another worker |
 *
 * Texts of 128 bytes, no two alike, 64 a turn, at most 32 turns on their way; each is checked to arrive once and in order.
 * Prints messages per second, the processor time that a message costs sender, receiver and parent, and half the time of a
 * round trip of one message while nothing else is sent. The processor time tells more on a busy machine.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createServer, connect as dial, type Socket } from 'node:net';
import { join } from 'node:path';
import { makeMeshFolder, removeMeshFolder } from '../src/bus/folder.ts';
import { Mesh } from '../src/bus/mesh.ts';
import { realClock } from '../src/clock.ts';
import type { Message } from '../src/framing/message.ts';
import { Bridge } from '../src/rooms/bridge.ts';
import type { RoomMessage } from '../src/rooms/segment.ts';
import { MemoryLimit } from '../src/session/memory-limit.ts';

const room = 'bench';
const size = 128;
const perTurn = 64;
const turnsOnTheWay = 32;
const turns = { warmUp: 15_000, measured: 15_000 };
const trips = 500;
const ways = ['mesh', 'socket', 'ipc', 'ipc, joined', 'ipc to parent'] as const;
type WayName = (typeof ways)[number];

/** What all ways can do: send texts, and pass on those that arrive. */
interface Way {
  send(texts: readonly string[]): void;
  /** @param texts or how many there are, where nothing is decoded */
  onReceived: (texts: readonly string[] | number) => void;
}

/** The end of the way that belongs to a process, or to the parent. */
type Channel = Pick<ChildProcess, 'send' | 'on'>;

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const textOf = (number: number) => String(number).padEnd(size, 'x');

async function meshWay(folder: string, worker: number): Promise<Way> {
  const way: Way = {
    send: (texts) => bridge.publish(room, texts.map(sentHere)),
    onReceived: () => undefined,
  };
  const bridge = new Bridge(new Mesh({ folder, worker, workers: 2 }), {
    clock: realClock,
    busBuffer: 1_048_576,
    memoryLimit: new MemoryLimit(268_435_456, realClock),
    namesOf: () => [],
    resized: () => undefined,
    named: () => undefined,
    sizeOf: () => 1,
    received: (_room, messages) => way.onReceived(messages.map(({ message }) => (message as Message).text)),
    reported: () => undefined,
    lost: (_room, messages) => {
      throw new Error(`${messages} messages were lost`);
    },
  });
  await bridge.start();
  bridge.follow(room);
  while (!bridge.isFollowed(room)) await nextTurn();
  return way;
}

function sentHere(message: string): RoomMessage {
  return { message, size: message.length, except: undefined, key: undefined, isRemote: false };
}

async function socketWay(folder: string, worker: number): Promise<Way> {
  const path = join(folder, 'plain');
  const socket =
    worker === 2
      ? await new Promise<Socket>((resolve) => createServer(resolve).listen(path))
      : await until(
          () =>
            new Promise<Socket>((resolve, reject) => {
              const socket = dial(path, () => resolve(socket)).on('error', reject);
            }),
        );
  const way: Way = {
    send: (texts) => void socket.write(texts.join('')),
    onReceived: () => undefined,
  };
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    way.onReceived(Math.floor(bytes / size));
    bytes %= size;
  });
  return way;
}

async function until<Value>(attempt: () => Promise<Value>): Promise<Value> {
  for (;;) {
    const value = await attempt().catch(() => undefined);
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function channelWay(channel: Channel, joins: boolean): Way {
  const way: Way = {
    send(texts) {
      for (const part of joins ? [texts] : texts.map((text) => [text])) channel.send?.({ room, texts: part });
    },
    onReceived: () => undefined,
  };
  channel.on('message', (message) => {
    const { texts } = message as { texts?: string[] };
    if (texts) way.onReceived(texts);
  });
  return way;
}

async function wayOf(name: WayName, folder: string, worker: number, channel: Channel): Promise<Way> {
  if (name === 'mesh') return await meshWay(folder, worker);
  if (name === 'socket') return await socketWay(folder, worker);
  return channelWay(channel, name !== 'ipc');
}

/** Microseconds of processor time that this process has used. */
function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Resolves when the parent has something to say. */
function told(): Promise<void> {
  return new Promise((resolve) => process.once('message', () => resolve()));
}

/** The second worker: acknowledges some turns together, and later each message. */
function answer(way: Way): void {
  let [received, acknowledged] = [0, 0];
  way.onReceived = (texts) => {
    check(texts, received);
    received += typeof texts === 'number' ? texts : texts.length;
    const each = received > (turns.warmUp + turns.measured) * perTurn ? 1 : 8 * perTurn;
    for (; received - acknowledged >= each; acknowledged += each) way.send([textOf(0)]);
  };
}

function check(texts: readonly string[] | number, before: number): void {
  if (typeof texts === 'number') return;
  for (const [index, text] of texts.entries())
    if (Number.parseInt(text, 10) !== before + index) throw new Error(`message ${text} follows ${before + index - 1}`);
}

/** The first worker: reports what it measured to its parent. */
async function measure(way: Way): Promise<void> {
  let [sent, acknowledged, wake] = [0, 0, () => undefined as void];
  way.onReceived = (texts) => {
    acknowledged += typeof texts === 'number' ? texts : texts.length;
    wake();
  };
  const acknowledgedAfter = async (count: number) => {
    while (acknowledged < count)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  const send = async (count: number) => {
    for (const end = sent + count * perTurn; sent < end; ) {
      const texts = Array.from({ length: perTurn }, () => textOf(sent++));
      way.send(texts);
      await nextTurn();
      await acknowledgedAfter((sent / perTurn - turnsOnTheWay) / 8);
    }
    await acknowledgedAfter(sent / perTurn / 8);
  };
  await send(turns.warmUp);
  process.send?.({ mark: 'started' });
  const [cpu, started] = [cpuTime(), performance.now()];
  await send(turns.measured);
  const rate = (turns.measured * perTurn) / ((performance.now() - started) / 1000);
  process.send?.({ mark: 'sent' });
  const cpuSending = cpuTime() - cpu;
  const times: number[] = [];
  for (let trip = 0; trip < trips; trip++) {
    const began = performance.now();
    way.send([textOf(sent++)]);
    await acknowledgedAfter(acknowledged + 1);
    times.push((performance.now() - began) / 2);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  times.sort((a, b) => a - b);
  process.send?.({ mark: 'done', rate, cpu: cpuSending, p50: times[trips / 2] });
}

interface Result {
  readonly rate: number;
  readonly p50: number;
  /** Microseconds for a message: of the sender, the receiver and their parent. */
  readonly cpu: readonly [number, number, number];
}

/** Runs one way between two other processes, and passes on what they send through this one. */
async function run(name: WayName): Promise<Result> {
  const folder = makeMeshFolder();
  const workers = [1, 2].map((worker) =>
    fork(import.meta.filename, [name, folder, `${worker}`], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  ) as [ChildProcess, ChildProcess];
  const [first, second] = workers;
  const isHalf = name === 'ipc to parent';
  if (isHalf) answer(channelWay(first, true));
  try {
    return await new Promise<Result>((resolve, reject) => {
      let before: readonly number[] = [];
      let after: readonly number[] = [];
      const cpuOfAll = async () => [await cpuOf(second), cpuTime()];
      first.on('message', (message) => {
        const { mark, texts, rate, cpu, p50 } = message as {
          mark: string;
          texts: string[];
          rate: number;
          cpu: number;
          p50: number;
        };
        if (texts) return isHalf ? undefined : second.send(message as object);
        if (mark === 'started')
          void cpuOfAll().then((cpu) => {
            before = cpu;
          });
        if (mark === 'sent')
          void cpuOfAll().then((cpu) => {
            after = cpu;
          });
        if (mark !== 'done') return;
        const [ofSecond, own] = after.map((value, index) => value - (before[index] as number)) as [number, number];
        const each = (time: number) => time / (turns.measured * perTurn);
        resolve({ rate, p50, cpu: [each(cpu), each(isHalf ? own : ofSecond), each(isHalf ? 0 : own)] });
      });
      second.on(
        'message',
        (message) => void ((message as { texts?: string[] }).texts && first.send(message as object)),
      );
      let ready = 0;
      for (const worker of workers) {
        worker.on('exit', (status) => reject(new Error(`a worker exited with ${status}`)));
        worker.on('message', (message) => {
          if ((message as { mark?: string }).mark === 'ready' && ++ready === 2) first.send({ go: true });
        });
      }
    });
  } finally {
    for (const worker of workers) worker.removeAllListeners('exit').kill();
    removeMeshFolder(folder);
  }
}

/** Asks a worker for its processor time. */
function cpuOf(worker: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    const read = (message: unknown) => {
      const { cpu } = message as { cpu?: number };
      if (cpu === undefined) return;
      worker.off('message', read);
      resolve(cpu);
    };
    worker.on('message', read).send({ ask: 'cpu' });
  });
}

const [name, folder = '', number] = process.argv.slice(2);
if (number) {
  process.on('message', (message) => void ((message as { ask?: string }).ask && process.send?.({ cpu: cpuTime() })));
  const worker = Number(number);
  const way = await wayOf(name as WayName, folder, worker, process as unknown as Channel);
  if (worker === 2) answer(way);
  process.send?.({ mark: 'ready' });
  if (worker === 1) await told().then(() => measure(way));
} else {
  for (let round = 1; round <= Number(name ?? 3); round++) {
    for (const way of ways.filter((one) => !folder || one === folder)) {
      const { rate, p50, cpu } = await run(way);
      const [sender, receiver, parent] = cpu.map((time) => time.toFixed(2));
      process.stdout.write(
        `round ${round}  ${way.padEnd(13)} ${String(Math.round(rate / 1000)).padStart(5)} k/s  ` +
          `${sender} + ${receiver} + ${parent} µs  p50 ${p50.toFixed(3)} ms\n`,
      );
    }
  }
}
