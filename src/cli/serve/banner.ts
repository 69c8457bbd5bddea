/** What `yodel serve` prints when it starts. */
import { isatty } from 'node:tty';
import { type Address, defaultAddress, isLoopback, parseAddress } from '../../address.ts';
import { formatPlural } from '../../format/figures.ts';
import { serveLimits } from '../../options.ts';
import { version } from '../version.ts';
import { chosenSeed } from './handler/fault-flags.ts';
import { assumesLines, passesBytes } from './handler/transparent.ts';
import type { Notify } from './outputs.ts';
import type { ServeSettings } from './settings.ts';
import type { Certificates } from './tls/tls.ts';

/** Prints where the server listens, a hint for people at a terminal, and warnings. */
export function printBanner(
  addresses: readonly Address[],
  settings: ServeSettings,
  certificates: Certificates | undefined,
  notify: Notify,
): void {
  const { handler, flags } = settings;
  const terminal = isatty(2) && flags.quiet !== true && flags.logFormat !== 'json';
  if (terminal) notify(`${version}, handler ${handler}, ${framingText(settings)}`);
  for (const address of addresses) notify(`listening on ${address}`);
  const [first] = addresses;
  if (terminal && first) {
    const where = String(first) === String(defaultAddress) ? '' : ` ${first}`;
    const wire = wireFlagsText(flags, first);
    const netcat = wire === '' ? netcatHint(first) : '';
    notify(`talk to it from another terminal: yodel connect${where}${wire}${netcat}; Ctrl-C stops it`);
  }
  const seed = chosenSeed(flags);
  if (seed !== undefined) notify(`random faults: --fault-seed ${seed} repeats them`);
  if (assumesLines(settings)) {
    notify('some faults are about messages, and no --framing or --protocol is given: a message is a line');
  }
  if (addresses.some(isPublic)) {
    notify('anyone who can reach this machine can connect, and the traffic is not encrypted');
  }
  if (certificates?.fingerprint)
    notify(`created a self-signed certificate for testing, SHA-256 fingerprint: ${certificates.fingerprint}`);
}

/** The addresses to listen on. @throws YodelError `YODEL_INVALID_ADDRESS` */
export function listenOf({ flags }: ServeSettings): Address[] {
  return ((flags.listen as string[] | undefined) ?? [String(defaultAddress)]).map(parseAddress);
}

/** A count with its noun, `3 connections`; undefined for 0. */
export function counted(count: number, noun: string): string | undefined {
  return count === 0 ? undefined : formatPlural(count, noun);
}

/** By default a server takes what fits. Fewer than this surprise its users, and are worth a warning. */
const fewConnections = 1000;

/** Warns if the process's limit on open files allows fewer connections than are configured, or few at all. */
export function warnOfDescriptors(
  allowed: number,
  flags: ServeSettings['flags'],
  processes: number,
  notify: Notify,
): void {
  const configured = Math.ceil(Number(flags.maxConnections ?? serveLimits.maxConnections.default) / processes);
  if (allowed >= (flags.maxConnections === undefined ? Math.min(fewConnections, configured) : configured)) return;
  const each = processes > 1 ? 'each worker ' : '';
  const what = `${allowed} connections at once, not ${configured}`;
  notify(`${each}serves at most ${what}: the limit on open files (ulimit -n) allows no more`);
}

/** Of all handlers only a transcript can set the framing. It is loaded elsewhere, with `--workers` in other processes. */
function framingText(settings: ServeSettings): string {
  const { handler, flags } = settings;
  if (passesBytes(settings)) return 'bytes pass as they arrive';
  if (flags.protocol !== undefined) return `protocol ${flags.protocol}`;
  const replies = flags.replyFraming === undefined ? '' : `, replies ${flags.replyFraming}`;
  if (flags.framing !== undefined || replies !== '') return `framing ${flags.framing ?? 'lines'}${replies}`;
  return handler.endsWith('.transcript') ? 'framing lines, or that of the transcript' : 'framing lines';
}

/** The flags that a client needs to speak as the server does. A WebSocket needs none. */
function wireFlagsText(flags: ServeSettings['flags'], { scheme }: Address): string {
  if (scheme === 'ws' || scheme === 'wss') return '';
  return Object.entries({ framing: 'framing', replyFraming: 'reply-framing', protocol: 'protocol' })
    .filter(([name]) => flags[name] !== undefined && flags[name] !== 'lines')
    .map(([name, flag]) => ` --${flag} ${quoted(String(flags[name]))}`)
    .join('');
}

/** As a shell reads it. */
function quoted(text: string): string {
  return /^[\w./:,=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function netcatHint(address: Address): string {
  if (address.scheme !== 'tcp' && address.scheme !== 'unix') return '';
  return address.scheme === 'unix' ? ` (or: nc -U ${address.path})` : ` (or: nc ${address.host} ${address.port})`;
}

function isPublic(address: Address): boolean {
  return (address.scheme === 'tcp' || address.scheme === 'ws') && !isLoopback(address);
}
