/** What Linux tells of the machine and of processes: cores, processor time, memory. */
import { readdirSync, readFileSync } from 'node:fs';
import * as os from 'node:os';
import { capture } from './processes.ts';

/** The two cores that are used. They are not two threads of one core, where the machine has others. */
export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** Undefined with one core only, or without `taskset`: then nothing is pinned. */
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

/** Processor time is counted in hundredths of a second, on every Linux. */
const ticksPerSecond = 100;

/** Seconds that all cores together have been busy since the machine began, also for other machines on the same host. */
export function busySeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu .*$/m.exec(read('/proc/stat'))?.[0].split(/\s+/).map(Number) ?? [];
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}

/** Seconds of processor time that a process, all others of its group, and their children that have ended, have used. */
export function groupSeconds(leader: number): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const used = pids.map(processorTime).filter(({ group }) => group === leader);
  return used.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Seconds of processor time that this process, and its children that have ended, have used. */
export function ownSeconds(): number {
  return processorTime('self').seconds;
}

function processorTime(pid: string): { group: number | undefined; seconds: number } {
  // The name, in parentheses, may hold anything.
  const fields = read(`/proc/${pid}/stat`).replace(/^.*\)/s, '').trim().split(' ').map(Number);
  const [, , group, , , , , , , , , user = 0, system = 0, childUser = 0, childSystem = 0] = fields;
  return { group, seconds: (user + system + childUser + childSystem) / ticksPerSecond };
}

/** Bytes of resident memory of one process; NaN when it is gone. */
export function residentBytes(pid: number): number {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
}

/** How many descriptors a process may have open, at the most. */
export function mostDescriptors(): number {
  const [, hard = ''] = /^Max open files\s+\S+\s+(\S+)/m.exec(read('/proc/self/limits')) ?? [];
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard);
}

/** The machine in words. */
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

/** Empty when there is no such file: the process is gone, or the kernel does not tell. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
