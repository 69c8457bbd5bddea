/**
 * A server of a test in a process of its own, which can be killed, stopped, or run on another host: `server-program.ts BUS`.
 *
 * It reads commands from stdin, one a line, and writes what it knows to stdout whenever that has changed, as JSON: see `Report`.
 *
 * ```
 * join NAME     a client joins the room `a` by that name
 * load MS       sends numbered messages to the room, one in this time
 * stop          sends no more
 * histories     from now on members join the room `h` as well, and the load is stored there, too
 * end           reads where the history of `h` ends
 * ```
 */
import { createInterface } from 'node:readline';
import { openBus } from '../../../src/bus/open.ts';
import { connect } from '../../../src/client/connect.ts';
import { placeOf } from '../../../src/rooms/stored/position.ts';
import { serve } from '../../../src/server/server.ts';

/** What such a program knows. */
export interface Report {
  readonly size: number;
  readonly names: readonly string[];
  /** How often the bus was connected, and lost. */
  readonly connected: number;
  readonly disconnected: number;
  readonly sent: number;
  /** What each of its members has received, and was told that it missed; and messages that came twice, or in a wrong order. */
  readonly members: readonly MemberReport[];
  /** How many messages of this process the store has taken, and refused or lost. */
  readonly stored: number;
  readonly notStored: number;
  /** How many messages the history has; see `end`. */
  readonly history: number;
}

interface MemberReport {
  received: number;
  missed: number;
  wrong: number;
  /** The number of the last stored message that it has received. Each must be the next one; otherwise it is wrong. */
  last: number;
}

if (import.meta.main) await run(process.argv[2] as string);

async function run(bus: string): Promise<void> {
  const counts = { connected: 0, disconnected: 0, refused: 0, stored: 0, notStored: 0, history: 0 };
  let hasHistories = false;
  const server = await serve({
    listen: 0,
    roomBuffer: 1_073_741_824,
    bus: await openBus(bus),
    handler: {
      async message({ text }, session) {
        session.join('a', { as: text });
        if (hasHistories) await session.join('h', { since: '0' });
        return 'joined';
      },
      stored: ({ position }) => `stored ${placeOf(position).number}`,
      missed: (_session, _room, messages) => `missed ${messages}`,
    },
    telemetry: { bus: (event) => void counts[event]++ },
  });
  const room = server.room('a');
  const histories = server.room('h');
  const id = crypto.randomUUID();
  const members: MemberReport[] = [];
  let [sent, load, last] = [0, undefined as ReturnType<typeof setInterval> | undefined, ''];
  const commands: Record<string, (word: string) => void> = {
    join: (name) => void join(name),
    load: (ms) => {
      load = setInterval(() => {
        room.send(`${id} ${++sent}`);
        if (hasHistories) void store();
      }, Number(ms));
    },
    histories: () => {
      hasHistories = true;
    },
    end: () => void end(),
    stop: () => clearInterval(load),
  };
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [command = '', word = ''] = line.split(' ');
    commands[command]?.(word);
  });
  setInterval(() => {
    const { refused, ...counted } = counts;
    const report: Report = { size: room.size, names: room.names().sort(), ...counted, sent, members };
    const text = JSON.stringify(report);
    if (text !== last) process.stdout.write(`${text}\n`);
    last = text;
  }, 20);

  async function store(): Promise<void> {
    try {
      await histories.store('x');
      counts.stored++;
    } catch {
      counts.notStored++;
    }
  }

  async function end(): Promise<void> {
    counts.history = placeOf((await histories.read({ history: 0 })).position).number;
  }

  async function join(name: string): Promise<void> {
    const client = await connect(server.addresses[0] as never);
    await client.request(name);
    const member = { received: 0, missed: 0, wrong: 0, last: 0 };
    members.push(member);
    const lastOf = new Map<string, number>();
    for await (const { text } of client) {
      const [word = '', number] = text.split(' ');
      if (word === 'stored') {
        if (Number(number) !== member.last + 1) member.wrong++;
        member.last = Number(number);
      } else if (word === 'missed') member.missed += Number(number);
      else {
        member.received++;
        if (Number(number) <= (lastOf.get(word) ?? 0)) member.wrong++;
        lastOf.set(word, Number(number));
      }
    }
  }
}
