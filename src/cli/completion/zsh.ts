/** The completion script for zsh, made for its `_arguments`, which shows what each flag does. */
import { proposalText, quote } from './quote.ts';
import type { CommandWords, FlagWords, Proposals } from './words.ts';

/** The script: a function for each command. It may be sourced, or stand as `_yodel` in a folder of `fpath`. */
export function zshScript(commands: readonly CommandWords[]): string {
  return `#compdef yodel
# Completes yodel in zsh. Made by: yodel completion zsh
${helpers}
${commands.map(functionOf).join('\n')}
# Called as a file of fpath it completes at once; sourced it only says who completes.
if [[ $funcstack[1] == _yodel ]]; then _yodel "$@"; else compdef _yodel yodel; fi
`;
}

const helpers = `
# The names of saved contexts, each behind $1.
_yodel_contexts() {
  local file expl
  local -a names
  for file in "\${XDG_CONFIG_HOME:-$HOME/.config}"/yodel/contexts/*.toml(N:t:r); do
    [[ $file == *[^A-Za-z0-9._-]* ]] || names+=("$1$file")
  done
  _wanted contexts expl 'saved context' compadd -a names
}

# Words, and +files and the like for what is to be found.
_yodel_value() {
  local word expl ret=1
  local -a words open
  for word in "$@"; do
    case $word in
      +files) _files && ret=0 ;;
      +folders) _files -/ && ret=0 ;;
      +contexts) _yodel_contexts '' && ret=0 ;;
      +addresses) _yodel_contexts @ && ret=0 ;;
      *:) open+=($word) ;;
      *) words+=($word) ;;
    esac
  done
  (( $#words )) && _wanted values expl value compadd -a words && ret=0
  # Something must follow the colon.
  (( $#open )) && _wanted values expl value compadd -S '' -a open && ret=0
  return ret
}
`;

function functionOf({ path, commands, flags, arguments: places, isLastRepeated }: CommandWords): string {
  const specs = flags.flatMap(flagSpecs);
  if (commands.length > 0) return groupFunction(path, commands, specs);
  places.forEach((place, index) => {
    const isRepeated = isLastRepeated && index === places.length - 1;
    specs.push(quote(`${isRepeated ? '*' : index + 1}:${escapeColons(place.name)}:${action(place)}`));
  });
  return `${functionName(path)}() {
  _arguments -S \\
${specs.map((spec) => `    ${spec}`).join(' \\\n')}
}
`;
}

/** A command that has others below it. */
function groupFunction(path: string, commands: CommandWords['commands'], specs: readonly string[]): string {
  const described = commands.map(({ name, summary }) => `      ${quote(`${name}:${summary}`)}`);
  const cases = commands.map(({ name }) => `        ${name}) ${functionName(`${path} ${name}`.trim())} ;;`);
  return `${functionName(path)}() {
  local curcontext=$curcontext state line ret=1
  typeset -A opt_args
  local -a commands=(
${described.join('\n')}
  )
  _arguments -C -S \\
${specs.map((spec) => `    ${spec}`).join(' \\\n')} \\
    '1: :->command' '*:: :->rest' && ret=0
  case $state in
    command) _describe -t commands command commands && ret=0 ;;
    rest)
      case $words[1] in
${cases.join('\n')}
      esac && ret=0 ;;
  esac
  return ret
}
`;
}

function functionName(path: string): string {
  return path === '' ? '_yodel' : `_yodel_${path.replaceAll(' ', '_')}`;
}

/** `*` for each: a flag that was given may be given again. */
function flagSpecs({ long, short, summary, value }: FlagWords): string[] {
  const says = `[${summary.replace(/[[\]\\]/g, '\\$&')}]`;
  const behind = value ? `:value:${action(value)}` : '';
  const specs: string[] = [];
  if (short) specs.push(quote(`*${short}${value ? '+' : ''}${says}${behind}`));
  if (long) specs.push(quote(`*${long}${value ? '=' : ''}${says}${behind}`));
  return specs;
}

/** The blank in front keeps zsh from adding arguments of its own. */
function action(proposals: Proposals): string {
  const text = proposalText(proposals);
  return text === '' ? ' ' : ` _yodel_value ${escapeColons(text)}`;
}

function escapeColons(text: string): string {
  return text.replaceAll(':', '\\:');
}
