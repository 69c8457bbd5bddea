/** The load generator, as a command and as a process that prints a report. */
import { loadGenerator } from './build.ts';
import type { Command } from './contenders.ts';
import type { Cores } from './machine.ts';
import { capture } from './processes.ts';
import { Failure, pinned, timeoutMs } from './server.ts';

/** How everything is measured. */
export interface Settings {
  readonly cores: Cores | undefined;
  /** The length of one slice. */
  readonly seconds: number;
  /** The number of slices in a round. */
  readonly slices: number;
  /** How long each server is put under load before the first slice of a round. */
  readonly warmUpSeconds: number;
  /** Idle connections, instead of the workload's number. */
  readonly idleConnections: number;
  /** The maximum number of background clients: workloads with more are reduced to this. */
  readonly maxBackgroundClients: number;
  /** The number of starts in one measurement of `start`. */
  readonly starts: number;
}

/** In microseconds. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
}

/** The generator's command, with these options, for a server on this port of 127.0.0.1. */
export function loadCommand(port: number, options: readonly string[]): Command {
  return [loadGenerator, '127.0.0.1', `${port}`, ...options];
}

/**
 * Runs a generator that measures for so many seconds, on its core, and returns the JSON that it prints.
 *
 * @throws Failure with its last words when it fails, and when it prints nothing in time
 */
export async function runGenerator<Report>(command: Command, seconds: number, { cores }: Settings): Promise<Report> {
  const withinMs = 1000 * seconds + timeoutMs;
  const outcome = await capture(pinned(cores?.load, command), { withinMs });
  if (outcome.timedOut) throw new Failure(`no result within ${Math.round(withinMs / 1000)} s`);
  if (outcome.status !== 0)
    throw new Failure(outcome.stderr.trim().replace(/^load: /, '') || 'the load generator died');
  return JSON.parse(outcome.stdout) as Report;
}
