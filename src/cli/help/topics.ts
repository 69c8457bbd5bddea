/**
 * What `yodel help TOPIC` says, as plain data: the command prints it, and the manual page and the reference are made of it.
 * Whatever has a table of its own (options, exit statuses, framings, errors) is read from there.
 */
import type { Command } from 'commander';
import { addressForms, defaultAddress } from '../../address.ts';
import { errorCodes } from '../../errors.ts';
import { unitForms } from '../../format/units.ts';
import { framingKinds } from '../../framing/notation.ts';
import { handlersByName } from '../../handlers/handlers.ts';
import { type OptionSpec, serverOptions, sessionOptions } from '../../options.ts';
import { fullName, withCommandsBelow } from '../commands.ts';
import { settingNames } from '../config/config.ts';
import { exitMeanings } from '../fail.ts';
import { flagName, shownDefault } from '../flags.ts';
import type { TopicName } from './topic-names.ts';

/** A paragraph, a table of terms and what they mean, or lines that can be copied. */
export type TopicPart =
  | { readonly text: string }
  | { readonly rows: readonly (readonly [term: string, meaning: string])[] }
  | { readonly lines: readonly string[] };

/** What is said of a topic. */
export function topicParts(name: TopicName, program: Command): readonly TopicPart[] {
  return topics[name](program);
}

const topics: Readonly<Record<TopicName, (program: Command) => readonly TopicPart[]>> = {
  addresses: () => [
    { text: 'One spelling everywhere, for listening and for connecting:' },
    { rows: addressForms },
    { rows: [['@NAME', 'an address that was saved before, with its flags; for connecting only']] },
    {
      text:
        `What is left out is ${defaultAddress.host} and ${defaultAddress.port}. A client also takes the two words HOST PORT. ` +
        'A server that listens on port 0 picks a free one and prints it; it listens at several addresses with several --listen.',
    },
    {
      lines: [
        'yodel serve --listen :7000 --listen unix:///tmp/app.sock',
        'yodel context save prod tls://example.org:7000',
      ],
    },
  ],
  framing: () => [
    {
      text:
        'TCP delivers a stream of bytes. A framing is the rule that says where one message ends and the next begins. ' +
        'Both sides need the same one: --framing takes',
    },
    { rows: framingKinds },
    {
      text:
        'Of length: little is the byte order of the field; offset=N bytes stand before it; adjust=N is added to its value; ' +
        'inclusive means that the field counts itself too.',
    },
    {
      text:
        'The last line, or the last delimited message, needs no ending when the input ends behind it; an unfinished message ' +
        'with a length is an error. A server checks that lines and delimited messages are UTF-8, unless --encoding binary is given.',
    },
    { lines: ["yodel serve --framing 'delimiter:\\0'", 'yodel connect --framing length:2,little,offset=1'] },
  ],
  handlers: () => [
    { text: 'The handler is what a server does with a message. yodel serve HANDLER takes one of these names:' },
    { rows: Object.entries(handlersByName).map(([name, { summary }]) => [name, summary] as const) },
    {
      text: 'or a TypeScript or JavaScript file that default-exports a function, or an object with open, message and close:',
    },
    { lines: ['export default (message) => message.text.toUpperCase();'] },
    {
      text:
        'What it returns is the reply: text, bytes, an array of several replies, or nothing. It may be async; replies keep ' +
        'their order. When it throws, only its own session ends.',
    },
  ],
  limits: () => [
    {
      text:
        'All limits are on by default, so that no peer costs more than is said here. Each is a flag of yodel serve, a ' +
        'variable of the environment, a setting of a file, and an option of the library.',
    },
    { text: 'Of each connection:' },
    { rows: limitRows(sessionOptions) },
    { text: 'Of the server:' },
    { rows: limitRows(serverOptions) },
  ],
  settings: (program) => [
    {
      text:
        'A flag goes over the variable of the environment, that over the file (a file of yodel serve --config, or a saved ' +
        'context), and that over the default. A file of settings is TOML, or JSON when its name ends with .json. Its names:',
    },
    { rows: settingNames(commandNamed(program, 'serve')) },
    {
      lines: ['rate = "5/s"', 'maxMessageLength = "1MiB"', 'listen = ["tcp://127.0.0.1:7878", "unix:///run/app.sock"]'],
    },
    { text: 'What is wrong in a file, and where each setting comes from, is shown by:' },
    { lines: ['yodel config check yodel.toml', 'yodel config print yodel.toml --rate 5/s'] },
  ],
  environment: (program) => [
    { text: 'Each variable stands for a flag, and the flag goes over it:' },
    { rows: variableRows(program) },
    { text: 'And these:' },
    {
      rows: [
        ['NO_COLOR', 'no colours when it is set to anything, as with --no-color'],
        ['TERM', 'no colours and no moving lines when it is dumb'],
        ['XDG_CONFIG_HOME', 'where saved contexts are kept (default: ~/.config)'],
        ['XDG_STATE_HOME', 'where the history of what was typed is kept (default: ~/.local/state)'],
      ],
    },
  ],
  units: () => [
    { text: 'Numbers take units, and 0 or off is off where the help says so:' },
    { rows: Object.entries(unitForms).map(([kind, form]) => [kind, form] as const) },
    { text: 'KiB and MiB (K, M) count by 1024, KB and MB by 1000; in counts and rates k is 1000.' },
  ],
  files: () => [
    {
      rows: [
        ['$XDG_CONFIG_HOME/yodel/contexts/NAME.toml', 'a saved context; only its owner can read it'],
        ['$XDG_STATE_HOME/yodel/history', 'what was typed into yodel connect'],
      ],
    },
    { text: 'See yodel help environment for where these folders are when the variables are not set.' },
  ],
  'exit-status': () => [
    { rows: exitMeanings.map(([status, meaning]) => [String(status), meaning] as const) },
    {
      text:
        'Data goes to stdout, everything else to stderr. When nobody reads the output any more (yodel help | head -1), that ' +
        'is no failure. The help of a command says when it gives which.',
    },
  ],
  errors: () => [
    { text: 'The codes are stable: programs may compare them, in the library (error.code) and in the log.' },
    { rows: Object.entries(errorCodes) },
  ],
};

function limitRows(table: Readonly<Record<string, OptionSpec>>): (readonly [string, string])[] {
  return Object.entries(table).map(([name, spec]) => {
    const off = spec.off === undefined ? '' : ` 0: ${spec.off}.`;
    return [`--${flagName(name, spec)}`, `${spec.summary}${off} Default: ${shownDefault(spec)}. ${spec.reason}`];
  });
}

/** Each variable with the commands that read it and what its flag does. Commands that say different things have a row each. */
function variableRows(program: Command): (readonly [string, string])[] {
  const readers = new Map<string, { variable: string; says: string; commands: string[] }>();
  for (const command of withCommandsBelow(program)) {
    for (const { envVar, long, description, hidden } of command.options) {
      if (envVar === undefined || hidden) continue;
      const says = `${long}: ${description}`;
      const row = readers.get(`${envVar} ${says}`) ?? { variable: envVar, says, commands: [] };
      row.commands.push(fullName(command));
      readers.set(`${envVar} ${says}`, row);
    }
  }
  const rows = [...readers.values()].sort((a, b) => (a.variable < b.variable ? -1 : a.variable > b.variable ? 1 : 0));
  return rows.map(({ variable, says, commands }) => [variable, `${commands.join(', ')} ${says}`]);
}

function commandNamed(program: Command, name: string): Command {
  const found = program.commands.find((command) => command.name() === name);
  if (!found) throw new Error(`there is no command "${name}"`);
  return found;
}
