/** The server of one process, whether it serves alone or with others. */
import { formatPeer, parseAddress } from '../../address.ts';
import { parseFraming } from '../../framing/notation.ts';
import { endGroups } from '../../handlers/exec/process-group.ts';
import type { Journal } from '../../journal/journal.ts';
import { errorText, isFromUpstream } from '../../log/error-text.ts';
import { type ServerLimits, serveLimits, serverOptions } from '../../options.ts';
import type { ReloadOptions } from '../../server/options.ts';
import { type Server, serve } from '../../server/server.ts';
import { allOf, type Subscriber } from '../../telemetry/telemetry.ts';
import { escapeStack, escapeText } from '../../terminal/escape.ts';
import type { Transport } from '../../transport/transport.ts';
import { exitStatus } from '../fail.ts';
import { tableValues } from '../flags.ts';
import { handlerFor } from './handler.ts';
import type { Outputs, Say } from './outputs.ts';
import type { Serving } from './settings.ts';

/** What only this process knows. */
export interface Surroundings {
  readonly outputs: Outputs;
  /** Who else is told what happens. */
  readonly subscribers?: readonly Subscriber[] | undefined;
  /** The number of this process among several. */
  readonly worker?: number | undefined;
  readonly descriptors?: readonly number[] | undefined;
  readonly reusePort?: boolean | undefined;
  readonly transport?: Transport | undefined;
  readonly journal?: Journal | undefined;
}

/** A server of this process. */
export interface Here {
  readonly server: Server;
  /**
   * Goes on with other settings.
   *
   * @throws UsageError, YodelError; then all stays as it was
   */
  reload(serving: Serving): Promise<void>;
  /** Resolves with the exit status when the server has ended, and all is written. */
  readonly ended: Promise<number>;
}

/** @throws UsageError, YodelError when it cannot serve */
export async function serveHere(serving: Serving, surroundings: Surroundings): Promise<Here> {
  const { outputs, subscribers = [], worker, ...ways } = surroundings;
  const { say, log } = outputs;
  const { flags } = serving.settings;
  let brokenOff = 0;
  let failedLate = false;
  const { handler, framing, encoding } = await handlerFor(serving.settings, say);
  const recorders = flags.record === undefined ? [] : [await recorderOf(String(flags.record), framing, worker, say)];
  const { journal } = ways;
  const server = await serve({
    ...reloadableOf(serving),
    ...ways,
    handler,
    listen: serving.listen.map(parseAddress),
    tls: serving.tls,
    origins: flags.origin as string[] | undefined,
    proxyProtocol: flags.proxyProtocol as string[] | undefined,
    framing,
    encoding,
    telemetry: allOf([log, failures(say, () => brokenOff++), ...subscribers, ...recorders]),
  });
  const failLate = (thrown: unknown) => {
    // Nobody can tell whose message it was about, nor what is broken now: so the server ends, but in order.
    say(`an error outside of any call of the handler, ending: ${escapeStack(thrown)}`);
    failedLate = true;
    void server.close();
  };
  process.on('uncaughtException', failLate).on('unhandledRejection', failLate);
  const end = async () => {
    await server.closed;
    await journal?.close();
    await endGroups();
    await outputs.close(() => {
      if (brokenOff === 0) return;
      say(`${brokenOff} ${brokenOff === 1 ? 'connection was' : 'connections were'} broken off before all was answered`);
    });
    return brokenOff > 0 || failedLate || journal?.failure ? exitStatus.failure : exitStatus.good;
  };
  return {
    server,
    reload: async (fresh) => {
      const { handler } = await handlerFor(fresh.settings, say);
      const options = { ...reloadableOf(fresh), handler };
      server.reload(fresh.tls ? { ...options, tls: fresh.tls } : options);
    },
    ended: end(),
  };
}

/** @throws UsageError when the folder cannot be written */
async function recorderOf(folder: string, framing: string, worker: number | undefined, say: Say): Promise<Subscriber> {
  return (await import('./record.ts')).recordInto(folder, parseFraming(framing), worker, say);
}

/** Limits that are meant for all processes together: each gets its part of them. */
const shared = ['maxConnections', 'maxPendingBytes'] as const satisfies readonly (keyof ServerLimits)[];

/** Of what is served, that which can be changed while the server runs. All names are given: what is not set is the default. */
function reloadableOf({ settings: { flags }, processes }: Serving): ReloadOptions {
  const limits = tableValues(serveLimits, flags);
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

/** An empty variable of the environment is as good as none. */
function givenList(value: unknown): readonly string[] | undefined {
  const list = value as readonly string[] | undefined;
  return list && list.length > 0 ? list : undefined;
}

/** Says on stderr what a handler threw: a bug must be seen with its stack, also with --quiet. */
function failures(say: Say, brokenOff: () => void): Subscriber {
  return {
    handlerFailed: (session, error) =>
      say(`the handler failed for ${formatPeer(session.peer)}#${session.id}: ${escapeStack(error.cause)}`),
    closed: (session, error) => {
      if (error?.code === 'YODEL_SHUTDOWN_TIMEOUT') brokenOff();
      if (error && isFromUpstream(error)) {
        say(`${formatPeer(session.peer)}#${session.id}: ${escapeText(errorText(error))}`);
      }
    },
  };
}
