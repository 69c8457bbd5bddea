/** The completion script for bash, from 3.2 (as macOS has it) on. */
import { proposalText, quote } from './quote.ts';
import type { CommandWords } from './words.ts';

/** The script: a table of what may stand where, and the functions that look things up in it. */
export function bashScript(commands: readonly CommandWords[]): string {
  return `# Completes yodel in bash. Made by: yodel completion bash

# Sets reply to what may stand at a place of a command; false when the table has no such place.
_yodel_table() {
  case $1 in
${commands.flatMap(rowsOf).join('\n')}
    *) reply=''; return 1 ;;
  esac
}
${functions}`;
}

/** A command's rows: `connect/flags`, `connect/--framing`, and its arguments by place `connect/0`. */
function rowsOf({ path, commands, flags, arguments: places, isLastRepeated }: CommandWords): string[] {
  const row = (place: string, text: string) => `    ${quote(`${path}/${place}`)}) reply=${quote(text)} ;;`;
  const spelled = (flag: (typeof flags)[number]) => [flag.long, flag.short].filter((name) => name !== undefined);
  const rows = [row('flags', flags.flatMap(spelled).join(' '))];
  if (commands.length > 0) rows.push(row('commands', commands.map(({ name }) => name).join(' ')));
  for (const flag of flags) {
    const { value } = flag;
    if (value) rows.push(...spelled(flag).map((name) => row(name, proposalText(value))));
  }
  places.forEach((place, index) => {
    rows.push(row(String(index), proposalText(place)));
  });
  const last = places.at(-1);
  if (last && isLastRepeated) rows.push(row('rest', proposalText(last)));
  return rows;
}

const functions = `
# The names of saved contexts, each behind $1.
_yodel_contexts() {
  local file name
  for file in "\${XDG_CONFIG_HOME:-$HOME/.config}"/yodel/contexts/*.toml; do
    name=\${file##*/}
    name=\${name%.toml}
    case $name in '*' | *[!A-Za-z0-9._-]*) ;; *) printf '%s\\n' "$1$name" ;; esac
  done
}

# One line for each word that reply allows and that begins with $1.
_yodel_proposals() {
  local word
  # The words are yodel's own, without anything that a shell would expand.
  for word in $reply; do
    case $word in
      +files) compgen -f -- "$1" ;;
      +folders) compgen -d -- "$1" ;;
      +contexts) _yodel_contexts '' ;;
      +addresses) _yodel_contexts @ ;;
      *) printf '%s\\n' "$word" ;;
    esac
  done
}

_yodel() {
  # bash has split the words at : and = too: so they are taken from the line.
  local line=\${COMP_LINE:0:COMP_POINT} word typed reply='' path='' flag='' count=0 only_arguments=''
  local -a words
  read -r -a words <<<"$line"
  while [[ \${#words[@]} -gt 0 && \${words[0]} != "\${COMP_WORDS[0]}" ]]; do words=("\${words[@]:1}"); done
  [[ $line == *[[:space:]] ]] && words+=('')
  typed=\${words[\${#words[@]}-1]}

  for word in "\${words[@]:1:\${#words[@]}-2}"; do
    if [[ -n $flag ]]; then
      flag=''
    elif [[ -z $only_arguments && $word == -- ]]; then
      only_arguments=yes
    elif [[ -z $only_arguments && $word == -?* ]]; then
      [[ $word != *=* ]] && _yodel_table "$path/$word" && flag=$word
    elif [[ $count == 0 ]] && _yodel_table "$path/commands" && [[ " $reply " == *" $word "* ]]; then
      path=\${path:+$path }$word
    else
      count=$((count + 1))
    fi
  done

  if [[ -n $flag ]]; then
    _yodel_table "$path/$flag"
  elif [[ -z $only_arguments && $typed == --*=* ]]; then
    _yodel_table "$path/\${typed%%=*}"
    typed=\${typed#*=}
  elif [[ -z $only_arguments && $typed == -* ]]; then
    _yodel_table "$path/flags"
  else
    _yodel_table "$path/$count" || _yodel_table "$path/rest" || { [[ $count == 0 ]] && _yodel_table "$path/commands"; }
  fi

  # What stands before the last of these characters is no part of what is replaced.
  local kept=''
  case $typed in *[:=]*) [[ $COMP_WORDBREAKS == *:* ]] && kept=\${typed%"\${typed##*[:=]}"} ;; esac
  COMPREPLY=()
  while IFS= read -r word; do
    [[ $word == "$typed"* ]] && COMPREPLY+=("\${word#"$kept"}")
  done < <(_yodel_proposals "$typed")
  case " $reply " in *' +files '* | *' +folders '*) compopt -o filenames 2>/dev/null ;; esac
  case \${#COMPREPLY[@]}\${COMPREPLY[0]} in 1*[:=]) compopt -o nospace 2>/dev/null ;; esac
}

complete -F _yodel yodel
`;
