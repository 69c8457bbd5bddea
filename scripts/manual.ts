/**
 * The manual page, made from the same command line and topics as `--help`: roff with the macros of man(7), which every
 * `man` reads.
 */
import type { Command } from 'commander';
import { fullName, helpParts, withCommandsBelow } from '../src/cli/commands.ts';
import { topicNames, topicSummaries } from '../src/cli/help/topic-names.ts';
import { type TopicPart, topicParts } from '../src/cli/help/topics.ts';
import { createProgram } from '../src/cli/program.ts';
import { version } from '../src/cli/version.ts';
import { wrap } from '../src/terminal/layout.ts';

/** Of lines that may be broken. Some escapes take more room in the file than on the page. */
const width = 72;

/** When the page's own words, below, were last changed: a page must have a date, and today's would be another one each day. */
const date = '2026-11-25';

/** The page `yodel.1`. */
export function manualPage(): string {
  const program = createProgram();
  const [, ...commands] = withCommandsBelow(program);
  const { before } = helpParts(program, width);
  return [
    '.\\" Made by `npm run docs`; do not edit.',
    `.TH YODEL 1 "${date}" "yodel ${version}" "User Commands"`,
    // Names of variables and flags are to stay whole, and lines that hold them cannot be filled up with blanks.
    '.nh',
    '.ad l',
    '.SH NAME',
    `yodel \\- ${text(program.description().replace(/\.$/, ''))}`,
    '.SH SYNOPSIS',
    ...synopsis(program),
    '.SH DESCRIPTION',
    ...flowing(
      'yodel is the client-server for messages over TCP: a server that many clients talk to, a client that tells the truth ' +
        'in a pipe, and what one needs to work on either.',
    ),
    ...block(before),
    '.SH OPTIONS',
    ...options(program),
    '.SH COMMANDS',
    ...commands.flatMap(commandSection),
    ...topicNames.flatMap((name) => [
      `.SH ${text(name.replaceAll('-', ' ').toUpperCase())}`,
      `${text(capital(topicSummaries[name]))}.`,
      ...topicParts(name, program).flatMap(topicPart),
    ]),
    '',
  ].join('\n');
}

function synopsis(program: Command): string[] {
  const lines = program.commands.map((command) => `.B ${text(fullName(command))}\n${usage(command)}`);
  return lines.flatMap((line, index) => (index === 0 ? [line] : ['.br', line]));
}

function usage(command: Command): string {
  return text(
    command
      .createHelp()
      .commandUsage(command)
      .replace(`${fullName(command)} `, ''),
  );
}

function commandSection(command: Command): string[] {
  const { before, after } = helpParts(command, width);
  return [
    `.SS ${text(fullName(command))} ${usage(command)}`,
    ...command
      .description()
      .split('\n')
      .flatMap((line) => ['.PP', ...flowing(line)])
      .slice(1),
    ...argumentsOf(command),
    ...options(command),
    ...block(after),
    ...block(before),
  ];
}

function argumentsOf(command: Command): string[] {
  const help = command.createHelp();
  return help
    .visibleArguments(command)
    .flatMap((argument) => [
      '.TP',
      `.I ${text(help.argumentTerm(argument))}`,
      ...flowing(help.argumentDescription(argument)),
    ]);
}

/** Under the headings that the help has. */
function options(command: Command): string[] {
  const help = command.createHelp();
  const visible = help.visibleOptions(command);
  const groups = help.groupItems([...command.options], visible, (option) => option.helpGroupHeading ?? 'Options:');
  return [...groups].flatMap(([heading, group]) => [
    ...(heading === 'Options:' ? [] : ['.PP', `.I ${text(heading)}`]),
    ...group.flatMap((option) => [
      '.TP',
      `.B ${text(help.optionTerm(option))}`,
      ...flowing(help.optionDescription(option)),
    ]),
  ]);
}

/** Text of the help whose lines stay as they are: headings such as `Examples:` with what is indented below them. */
function block(part: string): string[] {
  const sections = part
    .trim()
    .split(/\n+(?=\S)/)
    .filter(Boolean);
  return sections.flatMap((section) => {
    const [heading = '', ...lines] = section.split('\n').filter(Boolean);
    return ['.PP', text(heading), ...(lines.length > 0 ? asTheyAre(lines) : [])];
  });
}

function topicPart(part: TopicPart): string[] {
  if ('text' in part) return ['.PP', ...flowing(part.text)];
  if ('lines' in part) return ['.PP', ...asTheyAre(part.lines.map((line) => `  ${line}`))];
  return part.rows.flatMap(([term, meaning]) => ['.TP', `.B ${text(term)}`, ...flowing(meaning)]);
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** Text that `man` breaks into lines as it likes. */
function flowing(sentences: string): string[] {
  return wrap(sentences, width).map(text);
}

function asTheyAre(lines: readonly string[]): string[] {
  return ['.nf', ...lines.map(text), '.fi'];
}

/** Text in which roff sees nothing of its own. Dashes are those of the keyboard, so that options can be copied. */
function text(line: string): string {
  return line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('"', '\\(dq')
    .replaceAll('…', '...')
    .replaceAll('→', '->')
    .replace(/^\./, '\\&.');
}
