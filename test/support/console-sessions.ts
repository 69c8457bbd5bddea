/** Shell sessions that documents show in `console` blocks: what is typed, and what is printed. */

/** A command and what it prints. */
export interface ShownCommand {
  /** Without the prompt, on one line. */
  readonly command: string;
  /** What the page shows below it. `…` stands for any characters, on a line of its own for any lines. */
  readonly shown: string;
}

/** The commands of a session that begins with a prompt. */
export function commandsIn(session: string): ShownCommand[] {
  return session
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [, command = '', shown = ''] = /^((?:[^\n]*\\\n)*[^\n]*\n)([\s\S]*)$/.exec(part) ?? [];
      // The shell's own prompt for a line that continues.
      return { command: command.replaceAll(/\\\n> */g, ' ').trim(), shown };
    });
}

/** Matches what the page shows. */
export function shownPattern(shown: string): RegExp {
  const escaped = shown.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll(/^…\n/gm, '(?:.*\\n)*?').replaceAll('…', '.*')}$`);
}
