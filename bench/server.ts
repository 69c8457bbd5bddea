/** Starts a server, pins it to its core, and ends it. */
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from 'node:fs';
import * as net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildFolder } from './build.ts';
import type { Command } from './contenders.ts';
import { start } from './processes.ts';

/** Allowance for starting, connecting and a slow server, on top of the measured time. */
export const timeoutMs = 20_000;

/** The server or the generator failed, or a reply was wrong. */
export class Failure extends Error {}

/** A running server. */
export interface Server {
  readonly pid: number;
  readonly port: number;
  /** If it consists of two nodes: the second one, and the engine between them. */
  readonly nodes?: { readonly pid: number; readonly port: number; readonly enginePid: number };
  /** Adds the state of the server to a failure. */
  explain(error: unknown): unknown;
  kill(): Promise<void>;
}

/**
 * Starts a server and resolves when it accepts connections.
 *
 * @param clients the number of clients that it needs descriptors for
 * @throws Failure when it does not listen
 */
export async function startServer(
  command: Command,
  port: number,
  clients: number,
  core: number | undefined,
): Promise<Server> {
  const log = openLog();
  const child = start(guarded(clients + 200, pinned(core, command)), { output: log.descriptor });
  const kill = () => child.kill().finally(() => closeSync(log.descriptor));
  const explain = (error: unknown) => {
    if (!(error instanceof Failure && child.hasEnded())) return error;
    return new Failure(`the server exited; its last line: ${log.lastLine()} (${error.message})`);
  };
  const deadline = performance.now() + timeoutMs;
  while (!(await listens(port))) {
    if (!child.hasEnded() && performance.now() < deadline) {
      await delay(5);
      continue;
    }
    const why = log.lastLine();
    await kill();
    throw new Failure(`the server does not listen; its last line: ${why}`);
  }
  return { pid: child.pid, port, explain, kill };
}

/**
 * Opens a log for the server's output. It is a file rather than a pipe, so that logging costs the benchmark nothing while it
 * measures. The file is unlinked at once, so that nothing is left behind.
 */
function openLog(): { readonly descriptor: number; lastLine(): string } {
  const path = join(buildFolder, `server-${process.pid}.log`);
  const descriptor = openSync(path, 'a+');
  unlinkSync(path);
  const lastLine = () => {
    const tail = Buffer.alloc(2000);
    const length = readSync(descriptor, tail, 0, tail.length, Math.max(0, fstatSync(descriptor).size - tail.length));
    return tail.toString('utf8', 0, length).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
  };
  return { descriptor, lastLine };
}

/** Each wrapper replaces itself by the program, so that the process ID is the program's own. */
export function pinned(core: number | undefined, command: Command): Command {
  return core === undefined ? command : ['taskset', '-c', `${core}`, ...command];
}

/** Raises the limit on descriptors, and has Linux kill the program if this process is killed (if `setpriv` is installed). */
function guarded(descriptors: number, command: Command): Command {
  const script = `ulimit -Sn ${descriptors} 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
    command -v setpriv >/dev/null && set -- setpriv --pdeathsig KILL "$@"
    exec "$@"`;
  return ['sh', '-c', script, 'sh', ...command];
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** A free port below the range from which the system assigns client ports. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const server = net.createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
