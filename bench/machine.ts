/** Reads cores, processor time and memory of the machine and its processes from Linux. */
import { readdirSync, readFileSync } from 'node:fs';
import * as os from 'node:os';
import { capture } from './processes.ts';

/** The two cores used: not two threads of one core, if the machine has others. */
export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** Returns undefined with a single core or without `taskset`; then nothing is pinned. */
export async function chooseCores(): Promise<Cores | undefined> {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)/m.exec(read('/proc/self/status')) ?? [];
  const [server, ...others] = parseCores(list);
  const { status } = await capture(['taskset', '--version'], { withinMs: 5000 });
  if (server === undefined || others.length === 0 || status !== 0) return undefined;
  const siblings = parseCores(read(`/sys/devices/system/cpu/cpu${server}/topology/thread_siblings_list`).trim());
  const load = others.find((core) => !siblings.includes(core)) ?? others[0];
  return load === undefined ? undefined : { server, load };
}

/** '0-2,5' -> [0, 1, 2, 5] */
function parseCores(list: string): number[] {
  return list
    .split(',')
    .filter(Boolean)
    .flatMap((range) => {
      const [from = 0, to = from] = range.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, index) => from + index);
    });
}

/** Linux counts processor time in hundredths of a second. */
const ticksPerSecond = 100;

/** Busy seconds of all cores together since boot, including time stolen by other machines on the host. */
export function busySeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu .*$/m.exec(read('/proc/stat'))?.[0].split(/\s+/).map(Number) ?? [];
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}

/** Seconds of processor time used by a process group and its children that have ended. */
export function groupSeconds(leader: number): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const used = pids.map(processorTime).filter(({ group }) => group === leader);
  return used.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Seconds of processor time used by this process and its children that have ended. */
export function ownSeconds(): number {
  return processorTime('self').seconds;
}

/**
 * Starts to measure the processor time of all processes other than this one, its children, and the groups of these servers. The
 * returned function ends it, after the generator has exited, and returns their time as a share of one core, or undefined if the
 * time was too short for Linux's clock, which counts in hundredths of a second.
 */
export function startForeignTimer(servers: readonly number[]): () => number | undefined {
  const look = () => ({
    at: performance.now() / 1000,
    busy: busySeconds(),
    // Includes the generator, a child that has exited by then.
    ours: servers.reduce((sum, server) => sum + groupSeconds(server), ownSeconds()),
  });
  const before = look();
  return () => {
    const after = look();
    if (after.at - before.at < 0.25) return undefined;
    const foreign = after.busy - before.busy - (after.ours - before.ours);
    return Math.max(0, foreign / (after.at - before.at));
  };
}

function processorTime(pid: string): { group: number | undefined; seconds: number } {
  // The name, in parentheses, may contain any character.
  const fields = read(`/proc/${pid}/stat`).replace(/^.*\)/s, '').trim().split(' ').map(Number);
  const [, , group, , , , , , , , , user = 0, system = 0, childUser = 0, childSystem = 0] = fields;
  return { group, seconds: (user + system + childUser + childSystem) / ticksPerSecond };
}

/** Resident memory of a process in bytes; NaN if it has exited. */
export function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
}

/** The hard limit on open descriptors. */
export function maxDescriptors(): number {
  const [, hard = ''] = /^Max open files\s+\S+\s+(\S+)/m.exec(read('/proc/self/limits')) ?? [];
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/** Describes the machine in a few lines. */
export function describeMachine(cores: Cores | undefined): string[] {
  const [processor] = os.cpus();
  const virtual = /^flags.* hypervisor /m.test(read('/proc/cpuinfo')) ? ', a virtual machine' : '';
  const pinned = cores ? `server on core ${cores.server}, load on core ${cores.load}` : 'server and load not pinned';
  return [
    `${processor?.model ?? 'unknown processor'}, ${os.cpus().length} cores${virtual}; ${pinned}`,
    `${Math.round(os.totalmem() / 2 ** 30)} GiB of memory`,
    `${os.type()} ${os.release()}; loopback`,
  ];
}

/** Returns an empty string if the file does not exist: the process has exited, or the kernel lacks it. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
