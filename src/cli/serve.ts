/** Runs `yodel serve`: a server, its log on stdout, and the end by signals. */
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { type Address, defaultAddress, formatPeer, isLoopback, parseAddress } from '../address.ts';
import { serveLimits } from '../options.ts';
import { type ReloadOptions, type ServeOptions, type Server, serve } from '../server/server.ts';
import type { Subscriber } from '../telemetry/telemetry.ts';
import { exitStatus } from './fail.ts';
import { tableValues } from './flags.ts';
import { harmlessStack, harmlessText } from './harmless.ts';
import { LineWriter } from './line-writer.ts';
import { loadHandler } from './load-handler.ts';
import type { ServeSettings } from './serve-command.ts';
import { type Certificates, readServerTls, watchFiles } from './serve-tls.ts';
import { type LogFormat, type LogLevel, leftOutLine, sessionLog } from './session-log.ts';
import { paintFor, wantsColor } from './style.ts';
import { leftOutText } from './text-log.ts';
import { version } from './version.ts';

/** How long the log's last lines may take when the server is done. */
const lastLinesMs = 1000;

/**
 * Serves until a signal ends it, then ends the process.
 *
 * @param reread gives the settings as they are now
 */
export async function runServe(
  { handler: handlerName, flags }: ServeSettings,
  reread: () => Promise<ServeSettings>,
): Promise<void> {
  const format = logFormatOf(flags.logFormat, isatty(1));
  const level = flags.logLevel as LogLevel;
  const handler = await loadHandler(handlerName);
  const errors = new LineWriter(2, leftOutText, () => {});
  const say = (text: string) => errors.write(`yodel: ${text}`);
  const writer = new LineWriter(
    1,
    (count) => leftOutLine(format, level, count),
    (error) => {
      const { code } = error as NodeJS.ErrnoException;
      // A reader that has seen enough (`| head`) is no failure, but the operator should know that the log ends.
      say(
        code === 'EPIPE'
          ? 'nobody reads the output any more; serving on without it'
          : `the output failed: ${error.message}`,
      );
    },
  );
  const log =
    flags.quiet === true
      ? {}
      : await sessionLog({
          format,
          level,
          messages: flags.messages !== false,
          paint: paintFor(wantsColor({ isTTY: isatty(1) })),
          write: (line) => writer.write(line),
        });
  let brokenOff = 0;
  const addresses = ((flags.listen as string[] | undefined) ?? [String(defaultAddress)]).map(parseAddress);
  const certificates = await readServerTls(flags, addresses);
  const metrics =
    flags.metrics === undefined
      ? undefined
      : (await import('./serve-metrics.ts')).prepareMetrics(String(flags.metrics));
  const server = await serve({
    ...reloadableOf(flags),
    handler,
    listen: addresses,
    tls: certificates?.tls,
    origins: flags.origin as string[] | undefined,
    proxyProtocol: flags.proxyProtocol as string[] | undefined,
    framing: flags.framing as string,
    encoding: flags.encoding as ServeOptions['encoding'],
    telemetry: { ...withFailures(log, say, () => brokenOff++), ...metrics?.subscriber },
  });
  const health = await metrics?.serve(server, say).catch(async (error: unknown) => {
    await server.close({ timeoutMs: 0 });
    throw error;
  });
  welcome(server, handlerName, flags, say);
  if (certificates?.fingerprint)
    say(`made a certificate for a try; its SHA-256 fingerprint: ${certificates.fingerprint}`);
  const reloading = reloadOnChange(server, certificates, reread, say);
  const closing = obeySignals(server, say, reloading.reload, () => errors.write(''));
  let failedLate = false;
  const failLate = (thrown: unknown) => {
    // Nobody can tell whose message it was about, nor what is broken now: so the server ends, but in order.
    say(`an error outside of any call of the handler, ending: ${harmlessStack(thrown)}`);
    failedLate = true;
    void server.close();
  };
  process.on('uncaughtException', failLate).on('unhandledRejection', failLate);
  await server.closed;
  closing.done();
  reloading.close();
  health?.close();
  await writer.close(lastLinesMs);
  if (brokenOff > 0)
    say(`${brokenOff} ${brokenOff === 1 ? 'connection was' : 'connections were'} broken off before all was answered`);
  await errors.close(lastLinesMs);
  // A handler may have left timers or sockets of its own behind.
  process.exit(brokenOff > 0 || failedLate ? exitStatus.failure : exitStatus.good);
}

/** What `auto` stands for: people look at terminals, and programs read the rest. */
function logFormatOf(asked: unknown, isTerminal: boolean): LogFormat {
  if (asked === 'auto') return isTerminal ? 'text' : 'json';
  return asked as LogFormat;
}

/** Of what the flags say, that which can be changed while the server runs. All names are given: what is not set is the default. */
function reloadableOf(flags: Readonly<Record<string, unknown>>): ReloadOptions {
  return {
    ...Object.fromEntries(Object.keys(serveLimits).map((name) => [name, undefined])),
    ...(tableValues(serveLimits, flags) as ReloadOptions),
    allow: givenList(flags.allow),
    deny: givenList(flags.deny),
  };
}

/** An empty variable of the environment is as good as none. */
function givenList(value: unknown): readonly string[] | undefined {
  const list = value as readonly string[] | undefined;
  return list && list.length > 0 ? list : undefined;
}

/** When it is told to, and when certificates have changed, goes on with the settings as they are now; wrong ones are told, and all stays. */
function reloadOnChange(
  server: Server,
  certificates: Certificates | undefined,
  reread: () => Promise<ServeSettings>,
  say: Say,
): { reload(): void; close(): void } {
  const reload = async () => {
    try {
      const { handler, flags } = await reread();
      const options = { ...reloadableOf(flags), handler: await loadHandler(handler) };
      const made = certificates?.fingerprint !== undefined;
      const read = certificates && !made ? await readServerTls(flags, server.addresses) : undefined;
      server.reload(read ? { ...options, tls: read.tls } : options);
      say('reloaded: new sessions have the settings as they are now');
    } catch (error) {
      say(`not reloaded, all stays as it was: ${harmlessText((error as Error).message)}`);
    }
  };
  // One after the other: the last one that was asked for wins.
  let last = Promise.resolve();
  const soon = () => {
    last = last.then(reload);
  };
  return { reload: soon, ...watchFiles(certificates?.files ?? [], soon) };
}

/** The log, and on stderr what a handler threw: a bug must be seen with its stack, also with --quiet. */
function withFailures(log: Subscriber, say: Say, brokenOff: () => void): Subscriber {
  return {
    ...log,
    handlerFailed(session, error) {
      log.handlerFailed?.(session, error);
      say(`the handler failed for ${formatPeer(session.peer)}#${session.id}: ${harmlessStack(error.cause)}`);
    },
    closed(session, error) {
      log.closed?.(session, error);
      if (error?.code === 'YODEL_SHUTDOWN_TIMEOUT') brokenOff();
    },
  };
}

function welcome(server: Server, handlerName: string, flags: Readonly<Record<string, unknown>>, say: Say): void {
  const terminal = isatty(2) && flags.quiet !== true && flags.logFormat !== 'json';
  if (terminal) say(`${version}, handler ${handlerName}, framing ${String(flags.framing)}`);
  for (const address of server.addresses) say(`listening on ${address}`);
  const [first] = server.addresses;
  if (terminal && first) {
    const where = String(first) === String(defaultAddress) ? '' : ` ${first}`;
    say(`talk to it from another terminal: yodel connect${where}${netcatHint(first)}; Ctrl-C ends it`);
  }
  const wanted = Number(flags.maxConnections ?? serveLimits.maxConnections.default);
  if (server.maxConnections < wanted) {
    const what = `${server.maxConnections} connections at once, not ${wanted}`;
    say(`serves at most ${what}: the limit of open files (ulimit -n) allows no more`);
  }
  if (server.addresses.some(isPublic)) {
    say('everybody who reaches this machine can connect, and what they send is not encrypted');
  }
}

function netcatHint(address: Address): string {
  if (address.scheme !== 'tcp' && address.scheme !== 'unix') return '';
  return address.scheme === 'unix' ? ` (or: nc -U ${address.path})` : ` (or: nc ${address.host} ${address.port})`;
}

function isPublic(address: Address): boolean {
  return (address.scheme === 'tcp' || address.scheme === 'ws') && !isLoopback(address);
}

/**
 * The first SIGTERM or SIGINT drains, the second ends at once. SIGHUP reloads; but when it comes because the terminal is gone,
 * it is as SIGTERM.
 *
 * @param endLine ends the line on which the terminal has printed ^C
 */
function obeySignals(server: Server, say: Say, reload: () => void, endLine: () => void): { done(): void } {
  const hasTerminal = () => [0, 1, 2].some((descriptor) => isatty(descriptor));
  const hadTerminal = hasTerminal();
  let draining = false;
  const end = (signal: NodeJS.Signals) => {
    if (draining) process.exit(128 + constants.signals[signal]);
    draining = true;
    if (signal === 'SIGINT' && isatty(2)) endLine();
    const { size } = server.sessions;
    if (size > 0) {
      const again = signal === 'SIGINT' ? 'Ctrl-C' : signal;
      say(`ending ${size} ${size === 1 ? 'connection' : 'connections'}; ${again} again ends at once`);
    }
    void server.close();
  };
  const hungUp = (signal: NodeJS.Signals) => (hadTerminal && !hasTerminal() ? end(signal) : reload());
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', hungUp);
  return { done: () => void process.off('SIGINT', end).off('SIGTERM', end).off('SIGHUP', hungUp) };
}

/** Says something on stderr, without ever waiting for it. */
type Say = (text: string) => void;
