/**
 * Makes the reference from the option tables, the error registry and the command's own help, the manual page, and the README's figures from
 * the benchmark's results, so that they cannot drift: `npm run docs` writes the pages, a test compares them.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fullName, helpParts, withCommandsBelow } from '../src/cli/commands.ts';
import { settingOptions } from '../src/cli/config/config.ts';
import { exitMeanings } from '../src/cli/fail.ts';
import { envName, flagName, shownDefault } from '../src/cli/flags.ts';
import { topicNames } from '../src/cli/help/topic-names.ts';
import { topicText } from '../src/cli/help/topic-text.ts';
import { topicParts } from '../src/cli/help/topics.ts';
import { createProgram } from '../src/cli/program.ts';
import { serveCommand } from '../src/cli/serve/command.ts';
import { isFollowed } from '../src/cli/serve/reload.ts';
import { errorCodes } from '../src/errors.ts';
import {
  clientOptions,
  journalOptions,
  type OptionSpec,
  reconnectOptions,
  serveLimits,
  serverOptions,
  sessionOptions,
} from '../src/options.ts';
import { type BenchResults, withFigures } from './figures.ts';
import { manualPage } from './manual.ts';

const madeBy = '<!-- Made by `npm run docs`; do not edit. -->\n';

/** Every page: its path in the project and its text. */
export function pages(): Record<string, string> {
  return {
    'docs/reference/options.md': optionsPage(),
    'docs/reference/errors.md': errorsPage(),
    'docs/reference/command.md': commandPage(),
    'man/yodel.1': manualPage(),
    'README.md': withFigures(read('README.md'), JSON.parse(read('bench/results/results.json')) as BenchResults),
  };
}

function read(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
}

function optionsPage(): string {
  return `${madeBy}
# Options

In the library times are milliseconds, sizes are bytes, rates are messages a second, and 0 is off where the table says
what that means. On the command line and in the environment they take units: \`500ms\` \`10s\` \`5m\`, \`512\` \`64KiB\`
\`1MB\`, \`1/s\` \`30/m\` \`50k/s\`; \`0\` or \`off\` is off. Flags go over the environment, the environment over a file
(\`--config\`: see [On a public machine](../public.md)), the file over the defaults.

None of the defaults lets a peer cost more memory, time or descriptors than the table says. The two that are off,
\`maxMessages\` and \`rate\`, are policies: without them a peer costs no more.

## Of each connection of a server

${table(sessionOptions, true)}
## Of a server

${table(serverOptions, true)}
## Other settings of \`yodel serve\`

By their names in a file (\`--config\`). In the library certificates are texts (\`tls: { cert, key, … }\`) and not paths, \`origin\` is
\`origins\`; what concerns processes, output and metrics is the command's alone. A reload follows those that are marked; limits it
follows all but \`backlog\` and \`handshakeTimeout\`.

${settingsTable()}
## Of a journal

Given to \`openJournal(file, { … })\` in the library, to \`yodel serve --journal\` with \`journal\` before their names.

${table(journalOptions, false)}
## Of a client

Given to \`connect()\` in the library. \`yodel connect\` has flags of its own: see [the command](command.md).

${table(clientOptions, false)}
## Of a client's reconnecting

Given as \`connect(address, { reconnect: { … } })\`, or \`reconnect: true\` for the defaults.

${table(reconnectOptions, false)}`;
}

/** What a file can say besides limits. */
function settingsTable(): string {
  const command = serveCommand();
  const others = settingOptions(command).filter(({ name }) => !(name in serveLimits));
  const rows = others.map(({ name, option }) => {
    const spelled = [option.long, option.envVar].filter(Boolean).map((text) => `\`${text}\``);
    const reload = isFollowed(name) ? 'yes' : '';
    return `| \`${name}\` | ${spelled.join('<br>')} | ${reload} | ${option.description.replaceAll('|', '\\|')} |`;
  });
  return `| In a file | Flag, variable | Reload | What it is |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function table(options: Readonly<Record<string, OptionSpec>>, onCommandLine: boolean): string {
  const rows = Object.entries(options).map(([name, spec]) => {
    const flag = flagName(name, spec);
    const spelled = onCommandLine ? `\`${name}\`<br>\`--${flag}\`<br>\`${envName(flag)}\`` : `\`${name}\``;
    return `| ${spelled} | ${shownDefault(spec)} | ${meaning(spec)} | ${spec.reason} |`;
  });
  return `| Option | Default | What it does | Why this default |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function meaning({ summary, off, choices }: OptionSpec): string {
  if (choices) return `${summary} One of ${choices.map((word) => `\`${word}\``).join(', ')}.`;
  return off === undefined ? summary : `${summary} 0: ${off}.`;
}

function errorsPage(): string {
  const rows = Object.entries(errorCodes).map(([code, text]) => `| \`${code}\` | ${text} |`);
  return `${madeBy}
# Errors

Everything that yodel throws, rejects with or reports is a \`YodelError\`. Its \`code\` is stable, its \`message\` says what
happened, where and what to do, its \`cause\` is the error below it, if there is one.

| Code | What it means |
|---|---|
${rows.join('\n')}
`;
}

function commandPage(): string {
  const program = createProgram();
  const commands = withCommandsBelow(program).map((command) => {
    const { before, middle, after } = helpParts(command, 100);
    return section(fullName(command), before + middle + after);
  });
  const topics = topicNames.map((name) => section(`yodel help ${name}`, topicText(topicParts(name, program), 100)));
  const exits = exitMeanings.map(([status, meaning]) => `${status} ${meaning}`).join('; ');
  return `${madeBy}
# The command

Data goes to stdout, everything else to stderr. Exit status: ${exits}. As a manual
page: \`man yodel\`.

${[...commands, ...topics].join('\n')}`;
}

function section(title: string, text: string): string {
  return `## ${title}\n\n\`\`\`text\n${text.replace(/^\n+|\s+$/g, '')}\n\`\`\`\n`;
}

if (import.meta.main ?? process.argv[1]?.endsWith('reference.ts')) {
  for (const [path, text] of Object.entries(pages())) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
