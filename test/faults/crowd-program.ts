/**
 * A server whose clients are members of one room. For each number on stdin it sends the room as many numbered lines, 100 in a
 * turn of the event loop, and prints one line of JSON: what it costs, and what members have missed.
 */
import { createInterface } from 'node:readline';
import { serve } from '../../src/index.ts';

const told: Record<string, number> = {};
const server = await serve({
  listen: 'tcp://127.0.0.1:0',
  roomBuffer: 1_048_576,
  drainTimeout: 0,
  idleTimeout: 0,
  handler: {
    open(session) {
      session.join('crowd');
      return `you ${session.id}`;
    },
    missed({ id }, _room, messages) {
      told[id] = (told[id] ?? 0) + messages;
      return `missed ${messages}`;
    },
  },
});
const room = server.room('crowd');
process.stdout.write(`${JSON.stringify({ address: String(server.addresses[0]) })}\n`);
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
let sent = 0;
let report = 0;

for await (const line of createInterface(process.stdin)) {
  for (const end = sent + Number(line); sent < end; ) {
    for (let count = 0; count < 100 && sent < end; count++) room.send(String(sent++).padStart(99, '.'));
    await nextTurn();
  }
  const { Bun, gc } = globalThis as { Bun?: { gc(isForced: boolean): void }; gc?: () => void };
  if (Bun) Bun.gc(true);
  else gc?.();
  const { pendingBytes, counters } = server;
  const resident = process.memoryUsage.rss();
  process.stdout.write(
    `${JSON.stringify({ report: ++report, sent, members: room.size, resident, pendingBytes, missed: counters.roomMessagesMissed, told })}\n`,
  );
}
await server.close();
