/** The server in this process, which serves alone or is one of several workers. */
import { parseAddress } from '../../address.ts';
import { isOwnCode, type YodelError } from '../../errors.ts';
import { formatPlural } from '../../format/figures.ts';
import type { Journal } from '../../journal/journal.ts';
import { errorText, isFromUpstream, isUsualRefusal } from '../../log/error-text.ts';
import { resolveOptions } from '../../option-values.ts';
import { processOptions, type ServerLimits, serveLimits, serverOptions } from '../../options.ts';
import { endGroups } from '../../process/process-group.ts';
import { loadWatchdog, type Watchdog } from '../../process/watchdog.ts';
import type { Bus } from '../../rooms/bus.ts';
import type { ReloadOptions } from '../../server/options.ts';
import { refuseOwnAddress } from '../../server/own-address.ts';
import { type Server, serve } from '../../server/server.ts';
import type { Subscriber } from '../../telemetry/telemetry.ts';
import { escapeError, escapeStack } from '../../terminal/escape.ts';
import type { ServerTls, Transport } from '../../transport/transport.ts';
import { exitStatus } from '../fail.ts';
import { tableValues } from '../flags.ts';
import { recordSettings } from '../record-flags.ts';
import { ServedFaults } from './handler/fault-flags.ts';
import { handlerFor } from './handler/handler.ts';
import { handlerLimits } from './handler/limits.ts';
import type { Notify, NotifyOf, Outputs } from './outputs.ts';
import type { ServeSettings, Serving } from './settings.ts';

/** What a server needs besides its settings. */
export interface LocalServerOptions {
  readonly outputs: Outputs;
  /** Further subscribers to its events. */
  readonly subscribers?: readonly Subscriber[] | undefined;
  /** The number of this process among several. */
  readonly worker?: number | undefined;
  readonly descriptors?: readonly number[] | undefined;
  readonly reusePort?: boolean | undefined;
  readonly transport?: Transport | undefined;
  readonly journal?: Journal | undefined;
  readonly watchdog?: Watchdog | undefined;
  /** Connects its rooms with those of other workers. */
  readonly bus?: Bus | undefined;
}

/** The running server of this process. */
export interface LocalServer {
  readonly server: Server;
  /** When its first certificate expires, in milliseconds since 1970. Undefined without TLS. */
  readonly certificateExpiry: number | undefined;
  /** Its faults, which a reload may replace. */
  readonly faults: ServedFaults;
  /**
   * Applies other settings.
   *
   * @throws UsageError, YodelError; the old settings then remain in effect
   */
  reload(serving: Serving): Promise<void>;
  /** Resolves with the exit status when the server has ended and all output is written. */
  readonly ended: Promise<number>;
}

/** Starts the server. @throws UsageError, YodelError if it cannot start */
export async function startLocalServer(serving: Serving, options: LocalServerOptions): Promise<LocalServer> {
  const { outputs, subscribers = [], worker, watchdog, ...rest } = options;
  const { notify, notifyOf, log } = outputs;
  const { flags } = serving.settings;
  let aborted = 0;
  let hasFailed = false;
  const faults = new ServedFaults(flags.control !== undefined, (session, applied) => log.faulted?.(session, applied));
  const { handler, protocol, judged, ...loaded } = await handlerFor(serving.settings, notifyOf, faults.for(flags));
  const judge = judged && new (await import('./verdict.ts')).Judge(judged, outputs);
  let isSilent = isTransparent(handler);
  let { stop } = loaded;
  let certificateExpiry = await expiryOf(serving.tls);
  const recorders =
    flags.record === undefined
      ? []
      : [await recorderOf(flags, worker, (text) => notifyOf('output', undefined, () => text))];
  const { journal } = rest;
  const server = await serve({
    ...reloadableOf(serving),
    ...rest,
    ...loaded.exports,
    handler,
    listen: serving.listen.map(parseAddress),
    tls: serving.tls,
    origins: flags.origin as string[] | undefined,
    proxyProtocol: flags.proxyProtocol as string[] | undefined,
    protocol,
    running: watchdog?.running,
    telemetry: [
      log,
      failures(notifyOf, { aborted: () => aborted++, isSilent: () => isSilent }),
      {
        stopFailed(error) {
          const why = isOwnCode(error.code) || error.cause === undefined ? error : error.cause;
          notify(`the handler failed to stop: ${escapeStack(why)}`);
          hasFailed = true;
        },
      },
      { draining: () => stop?.() },
      ...subscribers,
      ...recorders,
      ...(judge ? [judge.subscriber] : []),
    ],
  });
  judge?.start(server);
  const shutDownOnError = (thrown: unknown) => {
    // Neither the message that caused it nor the extent of the damage is known, so the server shuts down, gracefully.
    notify(`uncaught error outside the handler, shutting down: ${escapeStack(thrown)}`);
    hasFailed = true;
    void server.close();
  };
  process.on('uncaughtException', shutDownOnError).on('unhandledRejection', shutDownOnError);
  const end = async () => {
    await server.closed;
    await journal?.close();
    await endGroups();
    const verdict = judge?.end() ?? exitStatus.good;
    await outputs.close(() => {
      if (aborted > 0) notify(`aborted with replies pending: ${formatPlural(aborted, 'connection')}`);
    });
    return aborted > 0 || hasFailed || journal?.failure ? exitStatus.failure : verdict;
  };
  return {
    server,
    get certificateExpiry() {
      return certificateExpiry;
    },
    faults,
    reload: async (next) => {
      const loaded = await handlerFor(next.settings, notifyOf, faults.for(next.settings.flags));
      await refuseOwnAddress(loaded.handler.upstream, server.addresses);
      // A verdict is on one mock.
      const options = { ...reloadableOf(next), ...loaded.exports, handler: judge ? handler : loaded.handler };
      await server.reload(next.tls ? { ...options, tls: next.tls } : options);
      certificateExpiry = await expiryOf(next.tls);
      if (!judge) stop = loaded.stop;
      watchdog?.setHandler(next.settings.handler);
      isSilent = isTransparent(options.handler);
    },
    ended: end(),
  };
}

/** Loaded only with TLS. */
async function expiryOf(tls: ServerTls | undefined): Promise<number | undefined> {
  return tls && (await import('./tls/expiry.ts')).firstExpiry(tls);
}

/** The recorder of `--record`. @throws UsageError if the file or directory cannot be written */
async function recorderOf(
  flags: Readonly<Record<string, unknown>>,
  worker: number | undefined,
  notify: Notify,
): Promise<Subscriber> {
  const { recordInto } = await import('./record/record.ts');
  return recordInto(String(flags.record), { worker, notify, ...recordSettings(flags) });
}

/** Limits for all processes together: each gets an equal share. */
const shared = [
  'maxConnections',
  'maxPendingBytes',
  'maxHistoryBytes',
] as const satisfies readonly (keyof ServerLimits)[];

/** The settings that can change while the server runs, with every name: undefined is the default. */
function reloadableOf({ settings, processes }: Serving): ReloadOptions {
  const { flags } = settings;
  const limits = { ...handlerLimits(settings), ...tableValues(serveLimits, flags) };
  if (processes > 1) {
    for (const name of shared) {
      limits[name] = Math.ceil(((limits[name] as number | undefined) ?? serverOptions[name].default) / processes);
    }
  }
  return {
    ...Object.fromEntries(Object.keys(serveLimits).map((name) => [name, undefined])),
    ...limits,
    allow: givenList(flags.allow),
    deny: givenList(flags.deny),
  };
}

/** An empty environment variable counts as not set. */
function givenList(value: unknown): readonly string[] | undefined {
  const list = value as readonly string[] | undefined;
  return list && list.length > 0 ? list : undefined;
}

/** Whether the handler is one that tells its clients nothing, such as a proxy. */
function isTransparent(handler: unknown): boolean {
  return (handler as { readonly forwarding?: unknown } | undefined)?.forwarding === 'transparent';
}

/** Ends of sessions that are reported elsewhere, or are no fault. */
const usualEnds: readonly YodelError['code'][] = [
  'YODEL_HANDLER_FAILED',
  'YODEL_CONNECTION_RESET',
  'YODEL_SHUTDOWN_TIMEOUT',
  'YODEL_FAULT',
];

/**
 * Reports on stderr, even with --quiet, what a handler threw, with its stack, and errors of upstream servers and commands. If the
 * handler is silent, also why clients were closed, because they are not told either.
 */
function failures(
  notifyOf: NotifyOf,
  { aborted, isSilent }: { readonly aborted: () => void; readonly isSilent: () => boolean },
): Subscriber {
  return {
    refused: (peer, error) => {
      if (isSilent() && !isUsualRefusal(peer, error)) {
        notifyOf(
          'refused',
          peer && { peer },
          (client) => `${client}${client && ': '}refused: ${escapeError(error.message)}`,
        );
      }
    },
    handlerFailed: (session, error) =>
      notifyOf(
        'handler-failed',
        session,
        (client) => `the handler failed for ${client}: ${escapeStack(isOwnCode(error.code) ? error : error.cause)}`,
      ),
    closed: (session, error) => {
      if (error?.code === 'YODEL_SHUTDOWN_TIMEOUT') aborted();
      if (error && (isFromUpstream(error) || (isSilent() && !usualEnds.includes(error.code)))) {
        notifyOf('upstream-failed', session, (client) => `${client}: ${escapeError(errorText(error))}`);
      }
    },
  };
}

/**
 * What watches the event loop of this process: of a worker always, so that it does not outlive its parent.
 *
 * @param worker the number of this process among several
 */
export async function watchdogFor({ handler, flags }: ServeSettings, worker?: number): Promise<Watchdog | undefined> {
  const { blockedWarning: thresholdMs } = resolveOptions(processOptions, tableValues(processOptions, flags));
  if (thresholdMs === 0 && worker === undefined) return undefined;
  return worker === undefined
    ? await loadWatchdog({ thresholdMs, handler, name: 'yodel:', sessionPrefix: '#', parent: undefined })
    : await loadWatchdog({
        thresholdMs,
        handler,
        name: `yodel: worker ${worker}:`,
        sessionPrefix: `#${worker}.`,
        parent,
      });
}

/** Read before the parent can be gone. */
const parent = process.ppid;
