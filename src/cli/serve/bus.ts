/** The bus of `yodel serve --bus`. Loaded only when the flag is given. */
import { hasAccessControl, isLoopbackBroker, parseBrokerAddress } from '../../bus/broker/address.ts';
import { openBus } from '../../bus/open.ts';
import type { Bus } from '../../rooms/bus.ts';
import { UsageError } from '../fail.ts';
import { readFile } from '../files.ts';
import type { Notify } from './outputs.ts';

/** The bus that the flags describe. @throws UsageError, YodelError if they are not valid */
export async function busFor(flags: Readonly<Record<string, unknown>>): Promise<Bus> {
  const { bus, busPrefix, busRequired } = flags as { bus: string; busPrefix?: string; busRequired?: boolean };
  return await openBus(bus, { prefix: busPrefix, required: busRequired === true, ...filesOf(flags) });
}

/** Checks the flags without connecting. @throws UsageError, YodelError */
export async function checkBus(flags: Readonly<Record<string, unknown>>): Promise<void> {
  if (flags.bus !== undefined) return void (await busFor(flags));
  const flag = ['bus-prefix', 'bus-credentials', 'bus-ca', 'bus-required'].find(
    (name) => flags[keyOf(name)] !== undefined,
  );
  if (flag !== undefined) throw new UsageError(`--${flag} needs --bus URL`);
}

/** Says what is dangerous about the bus. */
export function warnOfBus(flags: Readonly<Record<string, unknown>>, notify: Notify): void {
  const { credentials, ca } = filesOf(flags);
  const address = parseBrokerAddress(String(flags.bus), credentials, ca);
  if (isLoopbackBroker(address)) return;
  if (!address.tls)
    notify('the connection to the bus has no TLS: who can read the network reads all messages of rooms');
  if (!hasAccessControl(address)) notify('the bus asks for no password: who can reach it can speak as any member');
}

function filesOf({ busCredentials, busCa }: Readonly<Record<string, unknown>>) {
  return {
    credentials: busCredentials === undefined ? undefined : readFile(String(busCredentials)),
    ca: busCa === undefined ? undefined : readFile(String(busCa)),
  };
}

function keyOf(flag: string): string {
  return flag.replace(/-./g, ([, letter]) => (letter as string).toUpperCase());
}
