/**
 * The topics of `yodel help` as plain data, from which the command prints, and the manual page and the reference are
 * generated. Options, exit statuses, framings and errors come from their own tables.
 */
import type { Command } from 'commander';
import { addressForms, defaultAddress } from '../../address.ts';
import { errorCodes } from '../../errors.ts';
import { unitForms } from '../../format/units.ts';
import { framingKinds } from '../../framing/notation.ts';
import { protocols } from '../../framing/protocols/protocols.ts';
import { actionForms } from '../../handlers/faults/fault.ts';
import { handlersByName } from '../../handlers/handlers.ts';
import type { OptionSpec } from '../../option-values.ts';
import { serverOptions, sessionOptions } from '../../options.ts';
import { fullName, withCommandsBelow } from '../commands.ts';
import { settingNames } from '../config/config.ts';
import { exitMeanings } from '../fail.ts';
import { flagName, shownDefault } from '../flags.ts';
import { otherVariables } from '../other-variables.ts';
import type { TopicName } from './topic-names.ts';

/** A paragraph, a table of terms and their meanings, or lines that can be copied. */
export type TopicPart =
  | { readonly text: string }
  | { readonly rows: readonly (readonly [term: string, meaning: string])[] }
  | { readonly lines: readonly string[] };

/** The content of a topic. */
export function topicParts(name: TopicName, program: Command): readonly TopicPart[] {
  return topics[name](program);
}

const topics: Readonly<Record<TopicName, (program: Command) => readonly TopicPart[]>> = {
  addresses: () => [
    { text: 'Addresses have the same form everywhere, for listening and for connecting:' },
    { rows: addressForms },
    { rows: [['@NAME', 'a saved address with its flags; for connecting only']] },
    {
      text:
        `The defaults are ${defaultAddress.host} and ${defaultAddress.port}. A client also takes HOST PORT as two words. ` +
        'A server that listens on port 0 picks a free port and prints it. It listens on several addresses if --listen is repeated.',
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
        'Both sides must use the same one. Values of --framing:',
    },
    { rows: framingKinds.map(({ form, meaning }) => [form, meaning] as const) },
    { text: 'BYTES are text, with \\0 \\n \\r \\t \\\\ and \\xHH where needed.' },
    ...framingKinds.flatMap(({ name, options }) =>
      options ? [{ text: `Options of ${name}, separated by commas:` }, { rows: options }] : [],
    ),
    {
      text:
        'The last line or delimited message may omit its delimiter if the input ends after it; an unfinished message of ' +
        'another framing is an error. A server validates lines and delimited messages as UTF-8, unless --encoding binary ' +
        'is given.',
    },
    {
      text:
        'Where the server sends messages of another framing than its clients, --reply-framing names it. For protocols that ' +
        'yodel knows, --protocol says both. A framing can also be a file that default-exports one of your own: ' +
        'see docs/own-framings.md.',
    },
    {
      lines: [
        "yodel serve --framing 'delimiter:\\0'",
        'yodel connect --framing length:2,little,offset=1',
        'yodel connect :7000 --framing lines --reply-framing length:4',
        'yodel serve --framing ./mine.ts',
      ],
    },
  ],
  protocols: () => [
    {
      text:
        'A protocol says the framings of both directions, and what else both ends must know: how many messages the server ' +
        'sends first, and which replies are errors. Values of --protocol, which takes the place of --framing:',
    },
    { rows: protocols.map(({ name, about }) => [name, about] as const) },
    {
      text:
        'A file is a protocol of your own. It default-exports an object with framing and replyFraming, each of them a ' +
        'framing or its text form:',
    },
    { lines: ["export default { framing: 'lines', replyFraming: 'length:4', greeting: 1 };"] },
    {
      lines: [
        'yodel connect mail.example.org:25 --protocol smtp',
        'yodel serve proxy:127.0.0.1:6379 --protocol ./mine.ts',
      ],
    },
  ],
  handlers: () => [
    { text: 'The handler is what a server does with a message: yodel serve HANDLER. It is one of these:' },
    {
      rows: [
        ...Object.entries(handlersByName).map(([name, { summary }]) => [name, summary] as const),
        ['exec:COMMAND', 'answers with the output of a program'],
        ['proxy:ADDRESS', 'answers with the replies of another server'],
        ['FILE.transcript', 'answers as the transcript does'],
        ['FILE.ts, FILE.js', 'a file of your own'],
      ],
    },
    {
      text: 'A handler file default-exports a function, or an object with callbacks such as open, message and close:',
    },
    { lines: ['export default (message) => message.text.toUpperCase();'] },
    {
      text:
        'Its result is the reply: text, bytes, an array of several replies, or nothing. It can be async; replies keep their ' +
        'order. If it throws, only its own session is closed.',
    },
  ],
  faults: () => [
    {
      text: 'A fault between a handler and its clients is written like this, with --fault or to the API of --control:',
    },
    { lines: ['[request|reply|both] [WHEN] ACTION [ARGUMENTS]'] },
    { text: 'Requests are what clients send, replies (the default) what they receive. The actions:' },
    { rows: Object.entries(actionForms).map(([kind, { form, about }]) => [`${kind} ${form}`.trimEnd(), about]) },
    { text: 'WHEN is nothing, or conditions that must all hold:' },
    {
      rows: [
        ['10%', 'for this share of messages, by chance; --fault-seed repeats it'],
        ['#5, #5-9', 'for these messages, counted from 1 for each session and direction'],
        ['from 5, to 9, every 10', 'the same with one end, and for every tenth'],
        ['/QUIT/i', 'for messages whose payload, or header and payload, matches'],
        ['after 5s, after 10KiB', 'after this time of the session, or this number of bytes of the direction'],
        ['10% of sessions', 'for this share of the sessions'],
      ],
    },
    {
      lines: [
        "yodel serve proxy:127.0.0.1:6379 --fault 'both latency 50ms±20ms'",
        "yodel serve proxy:127.0.0.1:6379 --protocol redis --fault 'request /FLUSHALL/i reset'",
        "yodel serve proxy:127.0.0.1:5432 --fault '10% of sessions after 5s blackhole'",
      ],
    },
  ],
  limits: () => [
    {
      text:
        'All limits that protect the server are on by default. Each is a flag of yodel serve, an environment variable, a ' +
        'setting of a file, and an option of the library.',
    },
    { text: 'Limits of each connection:' },
    { rows: limitRows(sessionOptions) },
    { text: 'Limits of the server:' },
    { rows: limitRows(serverOptions) },
  ],
  settings: (program) => [
    {
      text:
        'A flag overrides the environment variable, which overrides the file (that of yodel serve --config, or a saved ' +
        'context), which overrides the default. A settings file is TOML, or JSON if its name ends with .json. Its settings:',
    },
    { rows: settingNames(commandNamed(program, 'serve')) },
    {
      lines: ['rate = "5/s"', 'maxMessageLength = "1MiB"', 'listen = ["tcp://127.0.0.1:7878", "unix:///run/app.sock"]'],
    },
    { text: 'To check a file, and to show the source of each setting:' },
    { lines: ['yodel config check yodel.toml', 'yodel config print yodel.toml --rate 5/s'] },
  ],
  environment: (program) => [
    { text: 'Each of these variables sets a flag, unless the flag itself is given:' },
    { rows: variableRows(program) },
    { text: 'Further variables:' },
    {
      rows: [
        ['NO_COLOR', 'no colours if it is set and not empty, as with --no-color'],
        ['TERM', 'no colours and no progress lines if it is dumb'],
        ...otherVariables,
        ['XDG_CONFIG_HOME', 'the directory of saved contexts (default: ~/.config)'],
        ['XDG_STATE_HOME', 'the directory of the input history (default: ~/.local/state)'],
      ],
    },
  ],
  units: () => [
    { text: 'Numbers take units. 0 or off turns a limit off where the help says so:' },
    { rows: Object.entries(unitForms).map(([kind, form]) => [kind, form] as const) },
    {
      text: 'KiB and MiB (or K and M) are powers of 1024, KB and MB are powers of 1000. In counts and rates k is 1000.',
    },
  ],
  files: () => [
    {
      rows: [
        ['$XDG_CONFIG_HOME/yodel/contexts/NAME.toml', 'a saved context; only its owner can read it'],
        ['$XDG_STATE_HOME/yodel/history', 'the input history of yodel connect'],
      ],
    },
    { text: 'Defaults of the variables: see yodel help environment.' },
  ],
  'exit-status': () => [
    { rows: exitMeanings.map(([status, meaning]) => [String(status), meaning] as const) },
    {
      text:
        'Data goes to stdout, everything else to stderr. A reader that stops early is not an error (yodel help | head -1). ' +
        'The help of a command lists the meaning of each status there.',
    },
  ],
  errors: () => [
    { text: 'Codes are stable: programs can compare them, in the library (error.code) and in the log.' },
    { rows: Object.entries(errorCodes) },
  ],
};

function limitRows(table: Readonly<Record<string, OptionSpec>>): (readonly [string, string])[] {
  return Object.entries(table).map(([name, spec]) => {
    const off = spec.off === undefined ? '' : ` 0: ${spec.off}.`;
    return [`--${flagName(name, spec)}`, `${spec.summary}${off} Default: ${shownDefault(spec)}. ${spec.reason}`];
  });
}

/** Each variable with the commands that read it and the meaning of its flag: one row per meaning. */
function variableRows(program: Command): (readonly [string, string])[] {
  const readers = new Map<string, { variable: string; meaning: string; commands: string[] }>();
  for (const command of withCommandsBelow(program)) {
    for (const { envVar, long, description, hidden } of command.options) {
      if (envVar === undefined || hidden) continue;
      const meaning = `${long}: ${description}`;
      const row = readers.get(`${envVar} ${meaning}`) ?? { variable: envVar, meaning, commands: [] };
      row.commands.push(fullName(command));
      readers.set(`${envVar} ${meaning}`, row);
    }
  }
  const rows = [...readers.values()].sort((a, b) => (a.variable < b.variable ? -1 : a.variable > b.variable ? 1 : 0));
  return rows.map(({ variable, meaning, commands }) => [variable, `${commands.join(', ')} ${meaning}`]);
}

function commandNamed(program: Command, name: string): Command {
  const found = program.commands.find((command) => command.name() === name);
  if (!found) throw new Error(`there is no command "${name}"`);
  return found;
}
