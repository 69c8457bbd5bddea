/** The help of every command as text. The build writes it to a file that `yodel --help` prints without loading anything else. */
import { fullName, helpParts, withCommandsBelow } from '../src/cli/commands.ts';
import { createProgram, helpWidth } from '../src/cli/program.ts';

/** The help by the words between `yodel` and `--help`: empty for yodel itself, `config check` for a command below another. */
export async function helpTexts(): Promise<Record<string, string>> {
  const commands = withCommandsBelow(await createProgram());
  return Object.fromEntries(
    commands.map((command) => {
      const { before, middle, after } = helpParts(command, helpWidth, true);
      return [fullName(command).split(' ').slice(1).join(' '), before + middle + after];
    }),
  );
}
