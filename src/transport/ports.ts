/** The ports that connections of this machine get by themselves. */
import { readFileSync } from 'node:fs';

/** The number of ports for connections to one address. Undefined where the system does not say. */
export function portsForConnections(): number | undefined {
  const text = read('/proc/sys/net/ipv4/ip_local_port_range');
  const [first, last] = text?.trim().split(/\s+/).map(Number) ?? [];
  return first === undefined || last === undefined ? undefined : last - first + 1;
}

/**
 * The number of closed connections whose ports are still occupied (TIME_WAIT): those that this machine ended first, for a
 * minute each. Undefined where the system does not say.
 */
export function portsInTimeWait(): number | undefined {
  const [, count] = /^TCP:.*\btw (\d+)/m.exec(read('/proc/net/sockstat') ?? '') ?? [];
  return count === undefined ? undefined : Number(count);
}

/** Whether this machine may have forgotten connections before their minute in TIME_WAIT is over. */
export function timeWaitIsFull(): boolean {
  const most = Number(read('/proc/sys/net/ipv4/tcp_max_tw_buckets') ?? 0);
  return (portsInTimeWait() ?? most) >= most / 2;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Not Linux, or /proc is not mounted.
    return undefined;
  }
}
