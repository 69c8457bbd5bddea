/** The protocol between systemd and a service: listening sockets (sd_listen_fds(3)) and readiness (sd_notify(3)). */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { escapeText } from '../../terminal/escape.ts';

/** The first descriptor that is passed, after stdin, stdout and stderr. */
const firstDescriptor = 3;

/**
 * The descriptors that were passed to this process; undefined if none. Their variables are deleted, so that child processes
 * do not take them for their own.
 */
export function passedDescriptors(env: NodeJS.ProcessEnv = process.env): number[] | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = env;
  delete env.LISTEN_PID;
  delete env.LISTEN_FDS;
  delete env.LISTEN_FDNAMES;
  if (pid !== String(process.pid) || !/^[1-9]\d{0,3}$/.test(count ?? '')) return undefined;
  return Array.from({ length: Number(count) }, (_, index) => firstDescriptor + index);
}

/** The states that systemd is notified of. */
export type ServiceState = 'READY=1' | 'RELOADING=1' | 'STOPPING=1';

/** Resolves after the last notification: systemd processes them in the order in which they arrive. */
let notified: Promise<void> = Promise.resolve();

/**
 * Notifies systemd, if this process is a service that should (`Type=notify`). It runs `systemd-notify`, because neither
 * runtime can send to the kind of socket that systemd listens on.
 *
 * @param notify receives the reason if it fails
 */
export function notifySystemd(state: ServiceState, notify: (text: string) => void): void {
  if (!process.env.NOTIFY_SOCKET) return;
  notified = notified
    .then(() => runNotify(state))
    .catch((error: Error) => notify(`cannot notify systemd of ${state}: ${escapeText(error.message)}`));
}

/** Resolves when all notifications are sent, or after `timeoutMs`. Afterwards the process can exit. */
export async function systemdNotified(timeoutMs = 1000): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([notified, timedOut]);
  clearTimeout(timer);
}

async function runNotify(state: ServiceState): Promise<void> {
  const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...reloadTime(state), state], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? new Error('systemd-notify is not installed') : error),
    );
    child.on('close', (status) =>
      status === 0 ? resolve() : reject(new Error(output.trim() || `systemd-notify ended with status ${status}`)),
    );
  });
}

/**
 * The time of a reload by the monotonic clock, which `Type=notify-reload` requires, and which must not be before the
 * request: /proc/uptime has hundredths of seconds, rounded down. `process.hrtime` has another origin on each runtime.
 */
function reloadTime(state: ServiceState): string[] {
  if (state !== 'RELOADING=1') return [];
  try {
    const seconds = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) + 0.01;
    return [`MONOTONIC_USEC=${Math.round(seconds * 1_000_000)}`];
  } catch {
    return [];
  }
}
