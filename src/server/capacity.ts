/** How many connections fit into the process's limit of descriptors. */

/** What the process itself has open: its streams, the event loop's own, a handler's files. */
const ownDescriptors = 32;
/** A refused connection still costs a descriptor while it is told: in a flood, those above this number are not told. */
const mostRefusals = 64;

/** The two numbers that a server keeps to. */
export interface Capacity {
  /** Sessions at once. */
  readonly connections: number;
  /** Refused clients that are being told so at once. */
  readonly refusals: number;
}

/**
 * As many as were asked for, or as fit: at its limit of descriptors a runtime drops new connections without a word, or
 * worse (see `descriptorLimit`).
 *
 * @param limit of descriptors; undefined when it is not known
 */
export function capacityFor(maxConnections: number, limit: number | undefined): Capacity {
  if (limit === undefined) return { connections: maxConnections, refusals: mostRefusals };
  const free = Math.max(2, limit - ownDescriptors);
  const refusals = Math.min(mostRefusals, Math.ceil(free / 4));
  return { connections: Math.min(maxConnections, free - refusals), refusals };
}
