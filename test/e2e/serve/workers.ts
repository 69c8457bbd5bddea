/** `yodel serve --workers`, as real processes. */
import { expect } from 'vitest';
import { dial, type Peer } from '../../support/peer.ts';
import { freePort } from '../../support/ports.ts';
import { type RunningServer, serve } from '../../support/process/command.ts';

export interface ServerWithWorkers extends RunningServer {
  /** The process ids of the first workers, in order of their numbers. */
  readonly workers: readonly number[];
  /** The values of a metric in `/metrics`, by worker. */
  metric(name: string): Promise<Record<string, number>>;
  /** The HTTP status of `/healthz` or `/readyz`. */
  status(path: string): Promise<number>;
}

/** Starts a server with workers and metrics, and waits until it listens. */
export async function serveWithWorkers(args: readonly string[] = [], count = 2): Promise<ServerWithWorkers> {
  const metricsPort = await freePort();
  const metrics = ['--metrics', `127.0.0.1:${metricsPort}`];
  const server = await serve(['--workers', String(count), ...metrics, ...args]);
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
    const before = await server.metric('yodel_connections_accepted_total');
    const peer = await dial(server.port);
    await peer.ask('hello');
    const after = await server.metric('yodel_connections_accepted_total');
    const [worker] = Object.keys(after).filter((number) => after[number] !== before[number]);
    if (worker !== undefined) found.set(worker, peer);
  }
  expect([...found.keys()].sort()).toEqual(['1', '2']);
  return found;
}
