/**
 * Loaded into a server before yodel: answers each connection to the Unix socket SOAK_PROBE with the number of timers and the
 * resident memory, after a garbage collection.
 */
import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const path = process.env.SOAK_PROBE;
delete process.env.SOAK_PROBE;

if (path && isMainThread) {
  const countTimers = process.versions.bun ? await counterOfBun() : await counterOfNode();
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    const timers = countTimers();
    socket.end(JSON.stringify({ timers, resident: process.memoryUsage.rss() }));
  });
  server.listen(path).unref();
}

async function counterOfNode() {
  const v8 = await import('node:v8');
  const timer = setTimeout(() => undefined, 0);
  clearTimeout(timer);
  // It collects garbage first. The one timer is kept for its class.
  return () => v8.queryObjects(timer.constructor, { format: 'count' }) - 1;
}

async function counterOfBun() {
  const { heapStats } = await import('bun:jsc');
  return () => {
    Bun.gc(true);
    return heapStats().objectTypeCounts.Timeout ?? 0;
  };
}
