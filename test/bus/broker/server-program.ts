/**
 * A server of a test in a process of its own, which can be killed, stopped, or run on another host: `server-program.ts BUS`.
 *
 * It reads commands from stdin, one a line, and writes what it knows to stdout whenever that has changed, as JSON: see `Report`.
 *
 * ```
 * join NAME     a client joins the room `a` by that name
 * load MS       sends numbered messages to the room, one in this time
 * stop          sends no more
 * ```
 */
import { createInterface } from 'node:readline';
import { openBus } from '../../../src/bus/open.ts';
import { connect } from '../../../src/client/connect.ts';
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
  readonly members: readonly { readonly received: number; readonly missed: number; readonly wrong: number }[];
}

if (import.meta.main) await run(process.argv[2] as string);

async function run(bus: string): Promise<void> {
  const counts = { connected: 0, disconnected: 0, refused: 0 };
  const server = await serve({
    listen: 0,
    roomBuffer: 1_073_741_824,
    bus: await openBus(bus),
    handler: {
      message({ text }, session) {
        session.join('a', { as: text });
        return 'joined';
      },
      missed: (_session, _room, messages) => `missed ${messages}`,
    },
    telemetry: { bus: (event) => void counts[event]++ },
  });
  const room = server.room('a');
  const id = crypto.randomUUID();
  const members: { received: number; missed: number; wrong: number }[] = [];
  let [sent, load, last] = [0, undefined as ReturnType<typeof setInterval> | undefined, ''];
  const commands: Record<string, (word: string) => void> = {
    join: (name) => void join(name),
    load: (ms) => {
      load = setInterval(() => void room.send(`${id} ${++sent}`), Number(ms));
    },
    stop: () => clearInterval(load),
  };
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [command = '', word = ''] = line.split(' ');
    commands[command]?.(word);
  });
  setInterval(() => {
    const { connected, disconnected } = counts;
    const report: Report = { size: room.size, names: room.names().sort(), connected, disconnected, sent, members };
    const text = JSON.stringify(report);
    if (text !== last) process.stdout.write(`${text}\n`);
    last = text;
  }, 20);

  async function join(name: string): Promise<void> {
    const client = await connect(server.addresses[0] as never);
    await client.request(name);
    const member = { received: 0, missed: 0, wrong: 0 };
    members.push(member);
    const lastOf = new Map<string, number>();
    for await (const { text } of client) {
      const [word = '', number] = text.split(' ');
      if (word === 'missed') member.missed += Number(number);
      else {
        member.received++;
        if (Number(number) <= (lastOf.get(word) ?? 0)) member.wrong++;
        lastOf.set(word, Number(number));
      }
    }
  }
}
