/** The flags of `yodel serve` about the bus between servers. */
import { type Command, Option } from 'commander';
import { envName } from '../flags.ts';

/** Adds the flags to a command. */
export function addBusFlags(command: Command): void {
  const option = (flags: string, text: string) =>
    new Option(flags, text).env(envName(/--([\w-]+)/.exec(flags)?.[1] ?? ''));
  command
    .optionsGroup('Rooms over several machines:')
    .addOption(
      option(
        '--bus <url>',
        'share rooms through NATS or Redis: nats://HOST:4222, redis://HOST:6379; with TLS tls:// (NATS) or rediss://',
      ),
    )
    .addOption(option('--bus-prefix <name>', 'servers with the same prefix share their rooms (default: yodel)'))
    .addOption(
      option(
        '--bus-credentials <file>',
        'who connects to the bus: USER:PASSWORD, a token or password, or the credentials file of NATS',
      ),
    )
    .addOption(option('--bus-ca <file>', 'trust these authorities for the certificate of the bus (PEM)'))
    .addOption(
      option('--bus-required', 'do not start without the bus, and report "not ready" at /readyz while it is away'),
    );
}
