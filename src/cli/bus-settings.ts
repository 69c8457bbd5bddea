/** Reads the flags about the bus between servers. Loaded only when a command uses one. */
import { hasAccessControl, isLoopbackBroker } from '../bus/broker/address.ts';
import { type BusSettings, readBusSettings } from '../bus/open.ts';
import type { BusFlags } from './bus-flags.ts';
import { readFile } from './files.ts';

/**
 * The bus that the flags describe. Nothing has connected to it yet.
 *
 * @throws UsageError if a file cannot be read; YodelError if the address or the prefix is not valid, or a package is missing
 */
export async function readBus(url: string, { busPrefix, busCredentials, busCa }: BusFlags): Promise<BusSettings> {
  return await readBusSettings(url, {
    prefix: busPrefix,
    credentials: busCredentials === undefined ? undefined : readFile(busCredentials),
    ca: busCa === undefined ? undefined : readFile(busCa),
  });
}

/** What is dangerous about the way to the bus. */
export function dangersOf({ address }: Pick<BusSettings, 'address'>): string[] {
  if (isLoopbackBroker(address)) return [];
  return [
    ...(address.tls
      ? []
      : ['the connection to the bus has no TLS: anyone who can read the network can read the messages of all rooms']),
    ...(hasAccessControl(address)
      ? []
      : ['the bus needs no password: anyone who can reach it can speak as any member']),
  ];
}
