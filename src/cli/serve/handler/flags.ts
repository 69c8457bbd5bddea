/** The flags of `yodel serve` about its handler: those of `exec:`, `proxy:` and `chat`. Those of faults are in `fault-flags.ts`. */
import type { Command } from 'commander';
import { chatFlags } from './chat.ts';
import { faultFlags } from './fault-flags.ts';
import { type HandlerFlag, optionOf, quantityOfKind } from './handler-flag.ts';

const watchFlag: HandlerFlag = { flags: '--watch', description: 'reload a handler file when it changes' };

/** The flags of `exec:` and `proxy:`. */
const programFlags: readonly HandlerFlag[] = [
  { flags: '--exec-per-message', description: 'exec: start a child per message instead of per connection' },
  { flags: '--shell', description: 'exec: run the command with /bin/sh, for pipes and variables' },
  {
    flags: '--exec-timeout <time>',
    description: 'exec: terminate a child that is stuck, or working on one message, for longer than this',
    default: '30s',
    check: quantityOfKind('duration'),
  },
  {
    flags: '--exec-max-output <size>',
    description: 'exec: maximum output for one message',
    default: '1MiB',
    check: quantityOfKind('size'),
  },
  {
    flags: '--exec-env <names>',
    description: 'exec: environment variables to pass to children: DB_URL,API_KEY',
    isList: true,
  },
  {
    flags: '--upstream-framing <framing>',
    description: 'exec, proxy: framing of the command or server behind, if it differs',
  },
  { flags: '--upstream-reply-framing <framing>', description: 'exec, proxy: framing of what it sends, if it differs' },
  { flags: '--upstream-protocol <protocol>', description: 'exec, proxy: its protocol, instead of framings' },
  { flags: '--proxy-cacert <file>', description: 'proxy: trust only these authorities at a tls:// server (PEM)' },
  {
    flags: '--proxy-servername <name>',
    description: "proxy: the name expected in that server's certificate (default: the host)",
  },
  { flags: '--proxy-insecure', description: "proxy: do not verify that server's certificate" },
];

/** The flags that the handler is created from, by the names of their values. A reload creates the handler again. */
export const handlerFlags: readonly string[] = [...programFlags, ...chatFlags, ...faultFlags].map((flag) =>
  optionOf(flag).attributeName(),
);

/** Adds the flags to a command. */
export function addHandlerFlags(command: Command): void {
  command.optionsGroup('Handler:');
  for (const flag of [watchFlag, ...programFlags, ...chatFlags]) command.addOption(optionOf(flag));
  command.optionsGroup('Faults, to test clients and servers:');
  for (const flag of faultFlags) command.addOption(optionOf(flag));
}
