/** The bus of `yodel serve --bus`. Loaded only when the flag is given. */
import { hasAccessControl, isLoopbackBroker, parseBrokerAddress } from '../../bus/broker/address.ts';
import { openBus } from '../../bus/open.ts';
import type { Bus } from '../../rooms/bus.ts';
import { readFile } from '../files.ts';
import type { Notify } from './outputs.ts';

/** The bus that the flags describe, which has not connected yet. @throws UsageError, YodelError if they are not valid */
export async function busFor(flags: Readonly<Record<string, unknown>>): Promise<Bus> {
  const { bus, busPrefix, busRequired } = flags as { bus: string; busPrefix?: string; busRequired?: boolean };
  return await openBus(bus, { prefix: busPrefix, required: busRequired === true, ...filesOf(flags) });
}

/** Says what is dangerous about the bus. */
export function warnOfBus(flags: Readonly<Record<string, unknown>>, notify: Notify): void {
  const { credentials, ca } = filesOf(flags);
  const address = parseBrokerAddress(String(flags.bus), credentials, ca);
  if (isLoopbackBroker(address)) return;
  if (!address.tls)
    notify('the connection to the bus has no TLS: anyone who can read the network can read the messages of all rooms');
  if (!hasAccessControl(address)) notify('the bus needs no password: anyone who can reach it can speak as any member');
}

function filesOf({ busCredentials, busCa }: Readonly<Record<string, unknown>>) {
  return {
    credentials: busCredentials === undefined ? undefined : readFile(String(busCredentials)),
    ca: busCa === undefined ? undefined : readFile(String(busCa)),
  };
}
