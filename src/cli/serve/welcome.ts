/** What `yodel serve` says when it begins. */
import { isatty } from 'node:tty';
import { type Address, defaultAddress, isLoopback, parseAddress } from '../../address.ts';
import { formatPlural } from '../../format/figures.ts';
import { serveLimits } from '../../options.ts';
import { version } from '../version.ts';
import { chosenSeed } from './handler-flags.ts';
import type { Say } from './outputs.ts';
import type { ServeSettings } from './settings.ts';
import type { Certificates } from './tls.ts';

/** Where it listens, and what people should know. */
export function welcome(
  addresses: readonly Address[],
  { handler, flags }: ServeSettings,
  certificates: Certificates | undefined,
  say: Say,
): void {
  const terminal = isatty(2) && flags.quiet !== true && flags.logFormat !== 'json';
  if (terminal)
    say(`${version}, handler ${handler}, framing ${String(flags.framing ?? 'lines, or as the handler needs it')}`);
  for (const address of addresses) say(`listening on ${address}`);
  const [first] = addresses;
  if (terminal && first) {
    const where = String(first) === String(defaultAddress) ? '' : ` ${first}`;
    say(`talk to it from another terminal: yodel connect${where}${netcatHint(first)}; Ctrl-C ends it`);
  }
  const seed = chosenSeed(flags);
  if (seed !== undefined) say(`faults by chance: --seed ${seed} makes the same ones again`);
  if (addresses.some(isPublic)) {
    say('everybody who reaches this machine can connect, and what they send is not encrypted');
  }
  if (certificates?.fingerprint)
    say(`made a certificate for a try; its SHA-256 fingerprint: ${certificates.fingerprint}`);
}

/** Where the flags say to listen. @throws YodelError `YODEL_INVALID_ADDRESS` */
export function listenOf({ flags }: ServeSettings): Address[] {
  return ((flags.listen as string[] | undefined) ?? [String(defaultAddress)]).map(parseAddress);
}

/** `3 connections`, `1 connection`; nothing for none. */
export function counted(count: number, noun: string): string | undefined {
  return count === 0 ? undefined : formatPlural(count, noun);
}

/** Says that the process's limit of open files allows fewer connections than were asked for, if it does. */
export function warnOfDescriptors(allowed: number, flags: ServeSettings['flags'], processes: number, say: Say): void {
  const wanted = Math.ceil(Number(flags.maxConnections ?? serveLimits.maxConnections.default) / processes);
  if (allowed >= wanted) return;
  const each = processes > 1 ? 'each worker ' : '';
  const what = `${allowed} connections at once, not ${wanted}`;
  say(`${each}serves at most ${what}: the limit of open files (ulimit -n) allows no more`);
}

function netcatHint(address: Address): string {
  if (address.scheme !== 'tcp' && address.scheme !== 'unix') return '';
  return address.scheme === 'unix' ? ` (or: nc -U ${address.path})` : ` (or: nc ${address.host} ${address.port})`;
}

function isPublic(address: Address): boolean {
  return (address.scheme === 'tcp' || address.scheme === 'ws') && !isLoopback(address);
}
