/** `yodel serve --workers`, as real processes. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect } from 'vitest';
import { dial, type Peer } from '../../support/peer.ts';
import { freePort } from '../../support/ports.ts';
import { type RunningServer, type RunOptions, serve } from '../../support/process/command.ts';

export interface ServerWithWorkers extends RunningServer {
  /** The process ids of the first workers, in order of their numbers. */
  readonly workers: readonly number[];
  /** The values of a metric in `/metrics`, by worker. */
  metric(name: string): Promise<Record<string, number>>;
  /** The HTTP status of `/healthz` or `/readyz`. */
  status(path: string): Promise<number>;
}

/** Starts a server with workers and metrics, and waits until it listens. */
export async function serveWithWorkers(
  args: readonly string[] = [],
  count = 2,
  options: RunOptions = {},
): Promise<ServerWithWorkers> {
  const metricsPort = await freePort();
  const metrics = ['--metrics', `127.0.0.1:${metricsPort}`];
  const server = await serve(['--workers', String(count), ...metrics, ...args], options);
  const [, list = ''] = await server.saw(/workers: process ([\d, ]+)/);
  const url = `http://127.0.0.1:${metricsPort}`;
  return {
    ...server,
    workers: list.split(', ').map(Number),
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const values = text.matchAll(new RegExp(`^${name}\\{worker="(\\d+)"\\} (\\S+)$`, 'gm'));
      return Object.fromEntries([...values].map(([, worker = '', value]) => [worker, Number(value)]));
    },
    status: async (path) => (await fetch(`${url}${path}`)).status,
  };
}

/** A client of each of the two workers, by worker number. */
export async function dialBoth(server: ServerWithWorkers): Promise<Map<string, Peer>> {
  const found = new Map<string, Peer>();
  for (let tries = 0; found.size < 2 && tries < 64; tries++) {
    const peer = await dial(server.port);
    await peer.ask('hello');
    const worker = currentWorkers(server).findIndex((pid) => hasConnection(pid, server.port, peer.port));
    if (worker !== -1) found.set(String(worker + 1), peer);
  }
  expect([...found.keys()].sort()).toEqual(['1', '2']);
  return found;
}

/** The process ids of the workers, or their replacements, in order of their numbers. */
function currentWorkers(server: ServerWithWorkers): number[] {
  const pids = [...server.workers];
  for (const [, number, pid] of server.stderr().matchAll(/worker (\d+) restarted as process (\d+)/g)) {
    pids[Number(number) - 1] = Number(pid);
  }
  return pids;
}

/** Whether a process has the server's end of a TCP connection. */
function hasConnection(pid: number, port: number, peerPort: number): boolean {
  const ends = [port, peerPort].map((one) => one.toString(16).toUpperCase().padStart(4, '0'));
  const row = new RegExp(`:${ends[0]} \\S+:${ends[1]} 01 .* (\\d+) \\d+ [0-9a-f]{16} `);
  const [, inode] = row.exec(readFileSync('/proc/net/tcp', 'latin1')) ?? [];
  return descriptorsOf(pid).some((fd) => readlinkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`);
}

function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch {
    // The worker has ended; another one takes its place.
    return [];
  }
}

function readlinkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return undefined;
  }
}
