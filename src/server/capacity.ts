/** The number of connections that fit into the process's limit of descriptors. */
import { descriptorLimit, openDescriptors } from '../transport/descriptors.ts';

/** Descriptors that the process itself needs: standard streams, the event loop's, a handler's files. */
const ownDescriptors = 32;
/**
 * What it opens for a moment, besides those that are open when the server starts: listeners, the pipes of a child that is being
 * started, certificates that are read again.
 */
const spareDescriptors = 8;
/** A connection with one of the very last descriptors is reset: waiting until it has read why could leave none to accept others. */
const lastDescriptors = 2;
/** A refused connection costs a descriptor until its reason is sent. In a flood, those above this number get no reason. */
const maxRefusals = 64;

/** The limits that result from the number of descriptors. */
export interface Capacity {
  /** Sessions at the same time. */
  readonly connections: number;
  /** Refused connections at the same time. */
  readonly refusals: number;
  /** A connection with this descriptor or a higher one is refused: something else in the process has taken the others. */
  readonly refusedFrom: number;
  /** A connection with this descriptor or a higher one is reset. */
  readonly resetFrom: number;
}

/** What a server's connections share with the rest of the process. */
export interface Descriptors {
  /** The process's limit; undefined if unknown. */
  readonly limit: number | undefined;
  /** Those that were open when the server was created. */
  readonly open: number;
}

/** The descriptors of this process, before it has connections. */
export function descriptorsNow(): Descriptors {
  return { limit: descriptorLimit(), open: openDescriptors() };
}

/**
 * The configured number of connections, or fewer if they do not fit: at its limit of descriptors a runtime drops new
 * connections without reporting it, or worse (see `descriptorLimit`).
 *
 * @param perSession the descriptors that a session takes besides its connection
 */
export function capacityFor(maxConnections: number, { limit, open }: Descriptors, perSession = 0): Capacity {
  if (limit === undefined) {
    const refusedFrom = Number.POSITIVE_INFINITY;
    return { connections: maxConnections, refusals: maxRefusals, refusedFrom, resetFrom: refusedFrom };
  }
  const free = Math.max(2 + perSession, limit - Math.max(ownDescriptors, open + spareDescriptors));
  const refusals = Math.min(maxRefusals, Math.ceil(free / 4));
  const connections = Math.max(1, Math.floor((free - refusals) / (1 + perSession)));
  return {
    connections: Math.min(maxConnections, connections),
    refusals,
    refusedFrom: limit - spareDescriptors,
    resetFrom: limit - lastDescriptors,
  };
}
