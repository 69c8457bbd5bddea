/** Whether something listens at an address. */
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { type SocketAddress, TcpAddress } from '../../address.ts';
import { dial, releaseUnused } from '../../client/dial.ts';
import { listeningAddresses, tcpTables } from '../../transport/tcp-state.ts';

/** How long to wait for the answer to a connection that is only made to see whether something listens. */
const probeMs = 1000;

/**
 * Whether something listens at a TCP port of this machine, from the kernel's table of sockets. A server that serves only one
 * client must not get a connection for that. Undefined where there is no such table.
 */
export function listensHere({ host, port }: { readonly host: string; readonly port: number }): boolean | undefined {
  if (!existsSync(tcpTables[0])) return undefined;
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const isAt = matcherOf(host);
  const isListening = (at: string) => at.endsWith(end) && isAt(at.slice(0, at.indexOf(':')));
  return tcpTables.some((table) => [...listeningAddresses(table)].some(isListening));
}

/** Whether a local address of the tables, in hexadecimal, gets connections to a host. Names are not looked up: any address may be theirs. */
function matcherOf(host: string): (address: string) => boolean {
  if (isIP(host) !== 4) return () => true;
  const bytes = host.split('.').map((part) => Number(part).toString(16).toUpperCase().padStart(2, '0'));
  const ipv4 = bytes.reverse().join('');
  return (address) => /^0+$/.test(address) || address.endsWith(ipv4) || /^0+FFFF00000+$/.test(address);
}

/** Whether a connection to the address is accepted. It is closed at once. */
export async function accepts(address: SocketAddress): Promise<boolean> {
  const at = 'host' in address ? new TcpAddress(address.host, address.port) : address;
  try {
    releaseUnused(await dial(at, { timeoutMs: probeMs, tls: {} }));
    return true;
  } catch {
    // Refused, or not reachable: nothing listens there yet.
    return false;
  }
}
