/** The flags about the bus between servers. `bus-settings.ts` reads them. */
import { type Command, Option } from 'commander';
import { envName } from './flags.ts';

/** The flags as commander parses them. */
export interface BusFlags {
  readonly busPrefix?: string;
  readonly busCredentials?: string;
  readonly busCa?: string;
}

/** The flags of {@link BusFlags}, by their names in commander. */
export const busFlagNames = {
  busPrefix: '--bus-prefix',
  busCredentials: '--bus-credentials',
  busCa: '--bus-ca',
} as const satisfies Record<keyof BusFlags, string>;

/** Adds `--bus`, and the flags of {@link addBusConnectionFlags}. */
export function addBusFlags(command: Command): void {
  command.addOption(
    option(
      '--bus <url>',
      'share rooms through NATS or Redis: nats://HOST:4222, redis://HOST:6379; with TLS tls:// (NATS) or rediss://',
    ),
  );
  addBusConnectionFlags(command);
}

/** Adds the flags that say how to connect to the bus, and who does. */
export function addBusConnectionFlags(command: Command): void {
  command
    .addOption(option('--bus-prefix <name>', 'servers with the same prefix share their rooms (default: yodel)'))
    .addOption(
      option(
        '--bus-credentials <file>',
        'who connects to the bus: USER:PASSWORD, a token or password, or the credentials file of NATS',
      ),
    )
    .addOption(option('--bus-ca <file>', 'trust these authorities for the certificate of the bus (PEM)'));
}

/** Adds the flags that only servers have. */
export function addBusServerFlags(command: Command): void {
  command.addOption(
    option('--bus-required', 'do not start without the bus, and report "not ready" at /readyz while it is away'),
  );
}

function option(flags: string, text: string): Option {
  return new Option(flags, text).env(envName(/--([\w-]+)/.exec(flags)?.[1] ?? ''));
}
