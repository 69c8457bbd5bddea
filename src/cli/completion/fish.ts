/** The completion script for fish, from 3.0 on. */
import type { CommandWords, FlagWords, Proposals } from './words.ts';

/** The script: functions that say where the cursor is, and a line for each thing that may stand there. */
export function fishScript(commands: readonly CommandWords[]): string {
  const paths = commands.map(({ path }) => path).filter((path) => path !== '');
  const valued = commands.flatMap(({ path, flags }) =>
    flags.filter(({ value }) => value).flatMap((flag) => spellings(flag).map((name) => `${path} ${name}`.trim())),
  );
  return `# Completes yodel in fish. Made by: yodel completion fish

set -g __yodel_commands ${paths.map(quote).join(' ')}
set -g __yodel_flags_with_values ${valued.map(quote).join(' ')}
${functions}
complete -c yodel -e
complete -c yodel -f
${commands.flatMap(linesOf).join('\n')}
`;
}

function linesOf(command: CommandWords): string[] {
  const { path, commands, flags, arguments: places, isLastRepeated } = command;
  const lines = flags.map((flag) => flagLine(path, flag));
  for (const { name, summary } of commands) {
    lines.push(`complete -c yodel -n ${quote(`__yodel_is ${quote(path)} 0`)} -a ${name} -d ${quote(summary)}`);
  }
  places.forEach((place, index) => {
    const isRepeated = isLastRepeated && index === places.length - 1;
    const condition = `__yodel_is ${quote(path)} ${index}${isRepeated ? ' more' : ''}`;
    lines.push(...placeLines(condition, place));
  });
  return lines;
}

function flagLine(path: string, { long, short, summary, value }: FlagWords): string {
  const names = `${long ? ` -l ${long.slice(2)}` : ''}${short ? ` -s ${short.slice(1)}` : ''}`;
  return `complete -c yodel -n ${quote(`__yodel_is ${quote(path)}`)}${names}${value ? valueFlags(value) : ''} -d ${quote(summary)}`;
}

/** \`-r\`: it takes a value; \`-x\`: and no file. */
function valueFlags(value: Proposals): string {
  const text = proposalsText(value);
  return `${value.found === 'files' ? ' -r -F' : ' -x'}${text === '' ? '' : ` -a ${quote(text)}`}`;
}

function placeLines(condition: string, place: Proposals): string[] {
  const text = proposalsText(place);
  const lines: string[] = [];
  if (place.found === 'files') lines.push(`complete -c yodel -n ${quote(condition)} -F`);
  if (text !== '') lines.push(`complete -c yodel -n ${quote(condition)} -a ${quote(text)}`);
  return lines;
}

function proposalsText({ words, found }: Proposals): string {
  const commands = { files: [], folders: ['(__fish_complete_directories)'], contexts: ['(__yodel_contexts)'] };
  const finding = found === 'addresses' ? ['(__yodel_contexts @)'] : found ? commands[found] : [];
  return [...words, ...finding].join(' ');
}

function spellings({ long, short }: FlagWords): string[] {
  return [long, short].filter((name) => name !== undefined);
}

function quote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}

const functions = `
function __yodel_contexts --description 'The names of saved contexts, each behind the argument'
    set -l folder ~/.config
    test -n "$XDG_CONFIG_HOME"; and set folder $XDG_CONFIG_HOME
    for file in $folder/yodel/contexts/*.toml
        set -l name (string replace -r '^.*/' '' -- $file | string replace -r '\\.toml$' '')
        string match -q -r '^[A-Za-z0-9._-]+$' -- $name; and echo "$argv[1]$name"
    end
end

# __yodel_is COMMAND [COUNT [more]]: whether the cursor is behind this command, and behind so many arguments of it.
function __yodel_is
    set -l path ''
    set -l count 0
    set -l is_value no
    set -l only_arguments no
    for word in (commandline -opc)[2..-1]
        if test $is_value = yes
            set is_value no
        else if test $only_arguments = no; and test "$word" = --
            set only_arguments yes
        else if test $only_arguments = no; and string match -q -r '^-.' -- $word
            contains -- (string trim -- "$path $word") $__yodel_flags_with_values; and set is_value yes
        else if test $count = 0; and contains -- (string trim -- "$path $word") $__yodel_commands
            set path (string trim -- "$path $word")
        else
            set count (math $count + 1)
        end
    end
    test "$path" = "$argv[1]"; or return 1
    test (count $argv) -lt 2; and return 0
    test $count = $argv[2]; and return 0
    test "$argv[3]" = more -a $count -gt $argv[2]
end
`;
