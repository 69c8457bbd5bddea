/** What a load test is to do, as plain data: it goes to other processes as JSON. */
import { parseAddress } from '../address.ts';
import type { Framing } from '../framing/framing.ts';
import { parseFraming } from '../framing/notation.ts';
import { raw } from '../framing/raw.ts';
import type { TlsOptions } from '../transport/transport.ts';

/** What replies are awaited: the same bytes, any message for each message, or none. */
export type Replies = 'echo' | 'count' | 'none';

/** A whole run. Times are milliseconds. */
export interface LoadSettings {
  /** As `parseAddress` reads it. */
  readonly address: string;
  /** As `parseFraming` reads it. Without meaning where the transport carries messages, as WebSocket does. */
  readonly framing: string;
  /** Whom to trust, where the address is one over TLS. */
  readonly tls: TlsOptions;
  readonly connections: number;
  /** Messages under way on each connection; null in an open loop. */
  readonly pipeline: number | null;
  /** Messages a second over all connections; null in a closed loop. */
  readonly rate: number | null;
  /** How many messages are sent; null for as many as there is time for. */
  readonly count: number | null;
  /** How long messages are sent; null until all are. */
  readonly durationMs: number | null;
  /** The size of messages that are made, or messages, a byte as a character (latin1). */
  readonly messages: { readonly size: number } | { readonly given: readonly string[] };
  readonly replies: Replies;
  /** How long making a connection may take; 0 for as long as the operating system tries. */
  readonly connectTimeoutMs: number;
  /** How long a reply may take. */
  readonly timeoutMs: number;
  /** Over how many processes the load is spread. */
  readonly threads: number;
}

/** Whether the transport keeps messages apart by itself. */
export function carriesMessages({ address }: Pick<LoadSettings, 'address'>): boolean {
  return parseAddress(address).scheme.startsWith('ws');
}

/** The rule between messages and what is written: none where the transport keeps them apart. */
export function framingOf(settings: Pick<LoadSettings, 'address' | 'framing'>): Framing {
  return carriesMessages(settings) ? raw() : parseFraming(settings.framing);
}

/** One process's share of a run. */
export interface LoadShare {
  readonly settings: LoadSettings;
  /** How many connections are its own, … */
  readonly connections: number;
  /** … and the number of the first one, counted from 1. */
  readonly firstConnection: number;
  /** How many messages it sends; Infinity (null as JSON) for as many as there is time for. */
  readonly count: number | null;
  /** Its own number, counted from 0. */
  readonly index: number;
}

/** Deals a run out to its processes. */
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

/** How many messages a run sends, if that is known before. */
function messagesOf({ count, rate, durationMs }: LoadSettings): number | null {
  if (rate === null || durationMs === null) return count;
  const due = Math.ceil((rate * durationMs) / 1000);
  return count === null ? due : Math.min(due, count);
}

/** The first ones get what remains. */
function evenShare(total: number, parts: number, index: number): number {
  return Math.ceil((total - index) / parts);
}
