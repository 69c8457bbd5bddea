/** Opens the bus between servers at a broker that runs already. */
import { YodelError } from '../errors.ts';
import { checkShapes } from '../option-shapes.ts';
import type { Bus } from '../rooms/bus.ts';
import { type BrokerAddress, parseBrokerAddress } from './broker/address.ts';
import type { Broker } from './broker/broker.ts';
import { BrokerBus } from './broker/bus.ts';

/** Options of {@link openBus}. */
export interface OpenBusOptions {
  /** Servers with the same prefix share their rooms. Letters, digits, `.`, `_` and `-`. Default: `yodel`. */
  readonly prefix?: string | undefined;
  /**
   * Who connects, instead of the user in the address: the text of a file with `USER:PASSWORD`, a token of NATS, a password of Redis,
   * or the credentials of NATS (a JWT and a seed).
   */
  readonly credentials?: string | undefined;
  /** The certificates of the authorities to trust, as PEM. Default: those of the runtime. */
  readonly ca?: string | undefined;
  /** Whether `serve()` rejects if the bus cannot be reached within 5 s. Default: no; it is tried again until it can. */
  readonly required?: boolean | undefined;
}

/** What {@link openBus} is called with, checked. */
export interface BusSettings {
  readonly address: BrokerAddress;
  readonly prefix: string;
  readonly required: boolean;
  /** What the address leads to. */
  readonly broker: Broker;
}

/**
 * Opens a bus for {@link serve}: its rooms are shared with all servers that use the same broker and prefix. It connects when the
 * server starts, and again whenever the connection is lost.
 *
 * @param address `nats://HOST:4222`, `redis://HOST:6379`, and with TLS `tls://` (NATS) or `rediss://` (Redis)
 * @throws YodelError `YODEL_INVALID_ADDRESS`, `YODEL_INVALID_OPTION`
 */
export async function openBus(address: string, options: OpenBusOptions = {}): Promise<Bus> {
  return busWith(await readBusSettings(address, options));
}

/** The bus with these settings, which has not connected yet. */
export function busWith({ broker, prefix, required }: BusSettings): Bus {
  return new BrokerBus(broker, { prefix, required });
}

/** Checks the arguments of {@link openBus}, and loads the client library. @throws as {@link openBus} */
export async function readBusSettings(address: string, options: OpenBusOptions = {}): Promise<BusSettings> {
  checkShapes(options, { prefix: 'text', credentials: 'other', ca: 'other', required: 'boolean' }, 'openBus()');
  const { prefix = 'yodel', credentials, ca, required = false } = options;
  if (!/^[\w-]+(\.[\w-]+)*$/.test(prefix)) {
    const allowed = 'letters, digits, _ and -, in parts separated by dots';
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `the option "prefix" has ${allowed}, unlike ${JSON.stringify(prefix)}`,
    );
  }
  const parsed = parseBrokerAddress(address, credentials, ca);
  return { address: parsed, prefix, required, broker: await brokerAt(parsed) };
}

/** The client libraries are loaded only where they are used, and installed only by those who use them. */
async function brokerAt(address: BrokerAddress): Promise<Broker> {
  if (address.kind === 'nats') {
    const library = await installed<typeof import('@nats-io/transport-node')>('@nats-io/transport-node');
    return new (await import('./broker/nats.ts')).NatsBroker(address, library);
  }
  const library = await installed<typeof import('ioredis')>('ioredis');
  return new (await import('./broker/redis.ts')).RedisBroker(address, library);
}

/** @throws YodelError `YODEL_INVALID_OPTION` if the package is missing */
async function installed<Library>(name: string): Promise<Library> {
  try {
    // Not a literal, so that a program that uses yodel without a bus can be bundled without the package.
    return (await import(name)) as Library;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new YodelError('YODEL_INVALID_OPTION', `this bus needs the package ${name}: npm install ${name}`);
  }
}
