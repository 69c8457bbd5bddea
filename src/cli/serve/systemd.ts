/**
 * What systemd hands over to a service, and wants to hear from it: sockets that listen already (sd_listen_fds(3)), and when
 * it is ready (sd_notify(3)).
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { escapeText } from '../../terminal/escape.ts';

/** The first descriptor that is passed: those before it are stdin, stdout and stderr. */
const firstDescriptor = 3;

/**
 * The descriptors that were passed to this process; undefined when there are none. They are told once: processes that this
 * one starts shall not take them for theirs.
 */
export function passedDescriptors(env: NodeJS.ProcessEnv = process.env): number[] | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = env;
  delete env.LISTEN_PID;
  delete env.LISTEN_FDS;
  delete env.LISTEN_FDNAMES;
  if (pid !== String(process.pid) || !/^[1-9]\d{0,3}$/.test(count ?? '')) return undefined;
  return Array.from({ length: Number(count) }, (_, index) => firstDescriptor + index);
}

/** What there is to tell. */
export type ServiceState = 'READY=1' | 'RELOADING=1' | 'STOPPING=1';

/** What was told last: systemd takes it in the order in which it comes. */
let told: Promise<void> = Promise.resolve();

/**
 * Tells systemd, if this process is a service that should (`Type=notify`). By the program `systemd-notify`, for neither
 * runtime can send to the kind of socket that systemd listens at.
 *
 * @param say is told when it cannot be told
 */
export function notifySystemd(state: ServiceState, say: (text: string) => void): void {
  if (!process.env.NOTIFY_SOCKET) return;
  told = told
    .then(() => runNotify(state))
    .catch((error: Error) => say(`cannot tell systemd ${state}: ${escapeText(error.message)}`));
}

/** Resolves when all has been told, or could not be within the time: a process that has gone is told of no more. */
export async function systemdWasTold(withinMs = 1000): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, withinMs);
  });
  await Promise.race([told, tooLate]);
  clearTimeout(timer);
}

async function runNotify(state: ServiceState): Promise<void> {
  const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...extra(state), state], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? new Error('there is no program systemd-notify') : error),
    );
    child.on('close', (status) =>
      status === 0 ? resolve() : reject(new Error(said.trim() || `systemd-notify ended with status ${status}`)),
    );
  });
}

/**
 * A service that reloads has to say when that was, by the clock that does not jump (Type=notify-reload), and not before it was
 * asked to: the file has hundredths of seconds, rounded down. What `process.hrtime` counts from differs between runtimes.
 */
function extra(state: ServiceState): string[] {
  if (state !== 'RELOADING=1') return [];
  try {
    const seconds = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) + 0.01;
    return [`MONOTONIC_USEC=${Math.round(seconds * 1_000_000)}`];
  } catch {
    return [];
  }
}
