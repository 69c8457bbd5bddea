/** The ports of workers, which are chosen before the first worker listens. */
import { type Address, addressAt, TcpAddress } from '../../address.ts';
import { runtimeTransport } from '../../transport/runtime.ts';
import type { Connection, Listener } from '../../transport/transport.ts';

/**
 * The addresses with their final ports. Workers share a port with every process that agrees to share it, so each port is
 * first bound exclusively: that fails if another program has it.
 *
 * @throws YodelError `YODEL_ADDRESS_IN_USE`, …
 */
export async function findPorts(addresses: readonly Address[], backlog: number): Promise<Address[]> {
  const found: Address[] = [];
  const probes: Listener[] = [];
  try {
    for (const address of addresses) {
      if (!('host' in address)) {
        found.push(address);
        continue;
      }
      const accept = (connection: Connection) => connection.abort();
      const at = new TcpAddress(address.host, address.port);
      const probe = await runtimeTransport.listen(at, { backlog, accept, failed: () => undefined });
      probes.push(probe);
      found.push(addressAt(address, address.host, (probe.address as TcpAddress).port));
    }
  } finally {
    await Promise.all(probes.map((probe) => probe.close()));
  }
  return found;
}
