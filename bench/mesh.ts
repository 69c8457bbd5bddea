/**
 * The way between two workers: yodel's mesh of Unix sockets, and the runtime's own channel (`process.send`), in the same run.
 *
 *     node bench/mesh.ts        bun bench/mesh.ts
 *
 * Prints the rate of 128-byte messages, 64 a turn, each checked to arrive once and in order; and half the time of a round trip of
 * one message while nothing else is sent.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { makeMeshFolder, removeMeshFolder } from '../src/bus/folder.ts';
import { Mesh } from '../src/bus/mesh.ts';
import type { BusBatch, BusMessage, BusReceiver } from '../src/rooms/bus.ts';

const room = 'bench';
const perTurn = 64;
const payload = Buffer.alloc(128, 'x');
const count = 50_000;
const trips = 1000;

/** What both ways can do: send some messages, and tell of those that arrive. */
interface Way {
  /** Resolves when more can be sent. */
  send(messages: number): Promise<void> | undefined;
  onReceived: (messages: number) => void;
  close(): Promise<void>;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** One end of the mesh. */
async function meshWay(folder: string, worker: number): Promise<Way> {
  const mesh = new Mesh({ folder, worker, workers: 2 });
  const messages: BusMessage[] = Array.from({ length: perTurn }, () => ({
    payload,
    header: undefined,
    kind: undefined,
    key: undefined,
  }));
  let [sent, received] = [0, 0];
  let drained: (() => void) | undefined;
  const way: Way = {
    send(number) {
      mesh.publish({
        node: String(worker),
        room,
        first: sent + 1,
        time: Date.now(),
        messages: messages.slice(0, number),
      });
      sent += number;
      if (mesh.state !== 'full') return undefined;
      return new Promise((resolve) => {
        drained = resolve;
      });
    },
    onReceived: () => undefined,
    close: () => mesh.close(),
  };
  const receiver: BusReceiver = {
    node: String(worker),
    busBuffer: 1_048_576,
    namesOf: () => [],
    stateOf: () => ({ last: sent, size: 1 }),
    received({ first, messages }: BusBatch) {
      if (first !== received + 1) throw new Error(`message ${first} follows ${received}`);
      received += messages.length;
      way.onReceived(messages.length);
    },
    followed: () => undefined,
    beaten: () => undefined,
    gone: () => undefined,
    unfollowed: () => undefined,
    drained: () => drained?.(),
  };
  await mesh.start(receiver);
  mesh.follow(room);
  while (!mesh.isFollowed(room)) await turn();
  return way;
}

/** One end of the channel. @param joins whether the messages of a turn are sent at once, as the mesh does it */
function channelWay(process: Pick<ChildProcess, 'send' | 'on' | 'disconnect'>, joins: boolean): Way {
  const text = payload.toString();
  const way: Way = {
    send(number) {
      const texts = Array.from({ length: number }, () => text);
      let sent: Promise<void> | undefined;
      for (const part of joins ? [texts] : texts.map((one) => [one])) {
        let told: () => void = () => undefined;
        const promise = new Promise<void>((resolve) => {
          told = resolve;
        });
        if (process.send?.({ room, texts: part }, () => told()) === false) sent = promise;
      }
      return sent;
    },
    onReceived: () => undefined,
    close: async () => process.disconnect(),
  };
  process.on('message', (message) => way.onReceived((message as { texts: string[] }).texts.length));
  return way;
}

/** The other worker: sends a message back for each `count` that have arrived, and for each one when they come alone. */
function answer(way: Way): void {
  let [received, wanted] = [0, count];
  way.onReceived = (messages) => {
    received += messages;
    if (received < wanted) return;
    received = 0;
    wanted = 1;
    void way.send(1);
  };
}

/** Messages per second, and milliseconds in one direction. */
async function measure(way: Way): Promise<{ rate: number; p50: number }> {
  let answered: () => void = () => undefined;
  way.onReceived = () => answered();
  const nextAnswer = () =>
    new Promise<void>((resolve) => {
      answered = resolve;
    });
  const started = performance.now();
  const all = nextAnswer();
  for (let sent = 0; sent < count; sent += perTurn) {
    await way.send(Math.min(perTurn, count - sent));
    await turn();
  }
  await all;
  const rate = count / ((performance.now() - started) / 1000);
  const times: number[] = [];
  for (let trip = 0; trip < trips; trip++) {
    const began = performance.now();
    const answer = nextAnswer();
    void way.send(1);
    await answer;
    times.push((performance.now() - began) / 2);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  times.sort((a, b) => a - b);
  return { rate, p50: times[trips / 2] as number };
}

/** Runs one way with another process. */
async function run(kind: 'mesh' | 'channel' | 'channel, joined') {
  const folder = makeMeshFolder();
  const other = fork(import.meta.filename, [kind, folder], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  other.on('exit', (status) => {
    if (status) process.exit(status);
  });
  try {
    const way = kind === 'mesh' ? await meshWay(folder, 1) : channelWay(other, kind !== 'channel');
    const result = await measure(way);
    await way.close();
    return result;
  } finally {
    other.kill();
    removeMeshFolder(folder);
  }
}

const [kind, folder = ''] = process.argv.slice(2);
if (kind === 'mesh') answer(await meshWay(folder, 2));
else if (kind) answer(channelWay(process as unknown as ChildProcess, kind !== 'channel'));
else {
  const ways = ['mesh', 'channel', 'channel, joined'] as const;
  for (let round = 1; round <= 3; round++) {
    for (const one of ways) {
      const { rate, p50 } = await run(one);
      process.stdout.write(
        `round ${round}  ${one.padEnd(15)} ${Math.round(rate / 1000)} k/s  p50 ${p50.toFixed(3)} ms\n`,
      );
    }
  }
}
