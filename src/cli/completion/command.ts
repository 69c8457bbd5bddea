/** `yodel completion`: completion scripts for shells. */
import { Argument, Command } from 'commander';
import { print } from '../output.ts';
import { type Shell, shells } from './shells.ts';

const examples = `Examples:
  echo 'source <(yodel completion bash)' >> ~/.bashrc
  echo 'source <(yodel completion zsh)' >> ~/.zshrc       after compinit
  yodel completion fish > ~/.config/fish/completions/yodel.fish
`;

/** `yodel completion`. */
export function completionCommand(): Command {
  return new Command('completion')
    .summary('print a completion script for a shell')
    .description(
      'Prints a completion script for a shell. With it, Tab completes commands, flags and their values, handlers, files, ' +
        'and saved contexts (@NAME). The script does not run yodel: print it again after an upgrade.',
    )
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText('before', examples)
    .helpOption('-h, --help', 'show this help')
    .action(async (shell: Shell, _flags, command: Command) => {
      const { completionScript } = await import('./scripts.ts');
      await print(completionScript(shell, command.parent as Command));
      process.exitCode = 0;
    });
}
