/** The settings of a load test, as plain data that is passed to other processes as JSON. */
import { parseAddress } from '../address.ts';
import { lines } from '../framing/delimited/lines.ts';
import { isSameFraming } from '../framing/framing.ts';
import type { MessageKind } from '../framing/message-parts.ts';
import type { Protocol } from '../framing/protocol.ts';
import { websocketClient } from '../framing/websocket.ts';
import { resolveWire } from '../framing/wire.ts';
import type { TlsOptions } from '../transport/transport.ts';
import type { ScriptText } from './scenario/text.ts';
import { messagesIn, type Stage } from './stages.ts';

/** Expected replies: the same bytes, any message for each message, or none. */
export type Replies = 'echo' | 'count' | 'none';

/** A whole run. Times are milliseconds. */
export interface LoadSettings {
  /** As `parseAddress` reads it. */
  readonly address: string;
  /** The framing of messages, as `parseFraming` reads it. Ignored over WebSocket, which has its own. */
  readonly framing: string;
  /** The framing of replies. Default: the same. */
  readonly replyFraming?: string | undefined;
  /** Whether messages of lines end with CRLF. */
  readonly crlf?: boolean | undefined;
  /** The name of a protocol, which says both framings. */
  readonly protocol?: string | undefined;
  /** Files that define own framings or protocols, which each process loads first. Absolute paths. */
  readonly files?: readonly string[] | undefined;
  /** For addresses over TLS. */
  readonly tls: TlsOptions;
  readonly connections: number;
  /** Whether each message has a connection of its own. */
  readonly reconnectEach?: boolean | undefined;
  /** Messages in flight on each connection; null in an open loop. */
  readonly pipeline: number | null;
  /** Messages per second over all connections; null in a closed loop. */
  readonly rate: number | null;
  /** Rates that change: `rate` is then their mean, and `durationMs` all of their time. */
  readonly stages?: readonly Stage[] | undefined;
  /** The number of messages to send; null for no limit. */
  readonly count: number | null;
  /** How long to send; null until `count` messages are sent. */
  readonly durationMs: number | null;
  /** The size of generated messages, or given messages as Latin-1, one character per byte. */
  readonly messages: { readonly size: number } | { readonly given: readonly string[] };
  /** A transcript to play instead of the messages. `count` and `rate` are then of its rounds. */
  readonly transcript?: ScriptText | undefined;
  /** What each message has besides: a header as Latin-1, a kind for WebSocket. */
  readonly parts?: { readonly header?: string | undefined; readonly kind?: MessageKind | undefined } | undefined;
  readonly replies: Replies;
  /**
   * The number of messages that the server sends before any request. Default: as the protocol says; if it says nothing and
   * replies are counted, what arrives before the first message is sent.
   */
  readonly greeting?: number | undefined;
  /** The source of a pattern for replies that report an error, where replies are counted. Default: as the protocol says. */
  readonly errorPattern?: string | undefined;
  /** Time limit for connecting; 0 leaves it to the operating system. */
  readonly connectTimeoutMs: number;
  /** Time limit for a reply. */
  readonly timeoutMs: number;
  /** The number of processes that generate the load. */
  readonly threads: number;
}

/** Whether the run connects over WebSocket. */
export function isWebSocket({ address }: Pick<LoadSettings, 'address'>): boolean {
  return parseAddress(address).scheme.startsWith('ws');
}

/** How messages are written in a run: as the connection says, as of WebSocket, or the settings. Any bytes are accepted. */
export function protocolOf(settings: LoadWire): Protocol {
  if (isWebSocket(settings)) return { framing: websocketClient, replyFraming: websocketClient, encoding: 'binary' };
  const { framing, replyFraming, protocol } = settings;
  const wire = resolveWire(protocol === undefined ? { framing, replyFraming } : { protocol });
  return { ...(settings.crlf ? withCrlf(wire) : wire), encoding: 'binary' };
}

function withCrlf(wire: Protocol): Protocol {
  const crlf = lines({ crlf: true });
  return {
    ...wire,
    framing: crlf,
    replyFraming: isSameFraming(wire.replyFraming, wire.framing) ? crlf : wire.replyFraming,
  };
}

/** Whether a reply says nothing about which message it answers: it is taken for that of the oldest unanswered one. */
export function isAnonymous({ replies, messages }: Pick<LoadSettings, 'replies' | 'messages'>): boolean {
  return replies === 'count' || (replies === 'echo' && 'given' in messages);
}

/** What says how messages are written. */
export type LoadWire = Pick<LoadSettings, 'address' | 'framing' | 'replyFraming' | 'crlf' | 'protocol'>;

/** One process's share of a run. */
export interface LoadShare {
  readonly settings: LoadSettings;
  /** The number of its connections. */
  readonly connections: number;
  /** The number of its first connection, from 1. */
  readonly firstConnection: number;
  /** The number of messages it sends; null for no limit. */
  readonly count: number | null;
  /** The number of the process, from 0. */
  readonly index: number;
}

/** Divides a run among its processes. */
export function sharesOf(settings: LoadSettings): LoadShare[] {
  const { threads, connections } = settings;
  const total = messagesOf(settings);
  let firstConnection = 1;
  return Array.from({ length: threads }, (_, index) => {
    const own = evenShare(connections, threads, index);
    const share = {
      settings,
      connections: own,
      firstConnection,
      count: total === null ? null : evenShare(total, threads, index),
      index,
    };
    firstConnection += own;
    return share;
  });
}

/** The number of messages that a run sends; null if it is not known in advance. */
function messagesOf({ count, rate, durationMs, stages }: LoadSettings): number | null {
  if (rate === null || durationMs === null) return count;
  // Without the rounding errors of sums.
  const due = Math.ceil(stages ? messagesIn(stages, durationMs) - 1e-6 : (rate * durationMs) / 1000);
  return count === null ? due : Math.min(due, count);
}

/** Divides evenly; the first parts get the remainder. */
function evenShare(total: number, parts: number, index: number): number {
  return Math.ceil((total - index) / parts);
}
