/** What this machine cannot do, found before a load test starts and not after its time-outs. */
import { availableParallelism } from 'node:os';
import { parseAddress } from '../../address.ts';
import { formatCount } from '../../format/figures.ts';
import type { LoadSettings } from '../../load/plan.ts';
import { descriptorLimit } from '../../transport/descriptors.ts';
import { portsForConnections } from '../../transport/ports.ts';
import { UsageError } from '../fail.ts';

/** Each process costs about 50 MB, and time to start. */
const maxThreadsPerCore = 8;
/** Descriptors of a process besides those of its connections: its files, and the connections of the warm-up. */
const otherDescriptors = 48;
/** Of the child of an `exec:` address: its stdin, its stdout, and its stderr. */
const descriptorsOfChild = 3;

/** The largest `--threads`. */
export function maxThreads(): number {
  return maxThreadsPerCore * availableParallelism();
}

/**
 * Checks that there are enough descriptors for the connections of each process, and enough ports for all of them.
 *
 * @throws UsageError
 */
export function checkLimits(
  settings: Pick<LoadSettings, 'address' | 'connections' | 'threads' | 'reconnectEach'>,
  limit = descriptorLimit(),
  ports = portsForConnections(),
): void {
  const { connections, threads, reconnectEach } = settings;
  const { scheme } = parseAddress(settings.address);
  const each = (scheme === 'exec' ? descriptorsOfChild : 1) * (reconnectEach ? 2 : 1);
  const needed = (processes: number) => each * Math.ceil(connections / processes) + otherDescriptors;
  if (limit !== undefined && needed(threads) > limit) {
    const where = threads > 1 ? `in each of ${threads} processes ` : '';
    throw new UsageError(
      `${formatCount(connections)} connections need ${formatCount(needed(threads))} open files ${where}` +
        `(descriptors), and a process may have ${formatCount(limit)}: ${adviceOf(needed, limit, settings)}`,
    );
  }
  const isTcp = scheme !== 'exec' && scheme !== 'unix';
  if (isTcp && ports !== undefined && connections > ports) {
    throw new UsageError(
      `${formatCount(connections)} connections to one address need as many ports, and this machine has ` +
        `${formatCount(ports)} (net.ipv4.ip_local_port_range): use at most that many, or several machines`,
    );
  }
}

function adviceOf(
  needed: (processes: number) => number,
  limit: number,
  { threads }: Pick<LoadSettings, 'threads'>,
): string {
  const more = Array.from({ length: maxThreads() }, (_, index) => index + 1).find((count) => needed(count) <= limit);
  return [
    `raise the limit with ulimit -n ${needed(threads)}`,
    ...(more === undefined ? [] : [`spread them over processes with --threads ${more}`]),
    'or use fewer connections (-c)',
  ].join(', ');
}
