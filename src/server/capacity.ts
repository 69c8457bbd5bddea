/** How many connections fit into the process's limit of descriptors. */

/** Descriptors that the process needs itself: standard streams, the event loop's, a handler's files. */
const ownDescriptors = 32;
/** A refused connection costs a descriptor until its reason is sent: in a flood, those above this number get none. */
const maxRefusals = 64;

/** The limits that follow from it. */
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
 * @param limit of descriptors; undefined when it is not known
 */
export function capacityFor(maxConnections: number, limit: number | undefined): Capacity {
  if (limit === undefined) return { connections: maxConnections, refusals: maxRefusals };
  const free = Math.max(2, limit - ownDescriptors);
  const refusals = Math.min(maxRefusals, Math.ceil(free / 4));
  return { connections: Math.min(maxConnections, free - refusals), refusals };
}
