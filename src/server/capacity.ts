/** The number of connections that fit into the process's limit of descriptors. */

/** Descriptors that the process itself needs: standard streams, the event loop's, a handler's files. */
const ownDescriptors = 32;
/** A refused connection costs a descriptor until its reason is sent. In a flood, those above this number get no reason. */
const maxRefusals = 64;

/** The limits that result from the number of descriptors. */
export interface Capacity {
  /** Sessions at the same time. */
  readonly connections: number;
  /** Refused connections at the same time. */
  readonly refusals: number;
}

/**
 * The configured number of connections, or fewer if they do not fit: at its limit of descriptors a runtime drops new
 * connections without reporting it, or worse (see `descriptorLimit`).
 *
 * @param limit the limit of descriptors; undefined if unknown
 */
export function capacityFor(maxConnections: number, limit: number | undefined): Capacity {
  if (limit === undefined) return { connections: maxConnections, refusals: maxRefusals };
  const free = Math.max(2, limit - ownDescriptors);
  const refusals = Math.min(maxRefusals, Math.ceil(free / 4));
  return { connections: Math.min(maxConnections, free - refusals), refusals };
}
