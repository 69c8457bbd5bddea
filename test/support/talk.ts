/** `yodel connect` in a real terminal. */
import { Terminal } from './terminal.ts';

/** Starts `yodel connect ADDRESS ARGS` in a terminal and waits for its prompt. */
export async function connectTo(address: string, terminal = new Terminal(), args = ''): Promise<Terminal> {
  terminal.enter(`clear; yodel connect ${address} ${args}`);
  await terminal.sees(/connected to [\s\S]*Ctrl-D ends\n[\s\S]*>$/);
  return terminal;
}

/**
 * The exit status of the program in the terminal. Waits for the prompt of the shell first, because the program could read
 * what is typed before. The output may follow a second prompt.
 */
export async function exitStatusIn(terminal: Terminal): Promise<number> {
  await terminal.sees(/\$$/);
  terminal.enter('echo "status $?"');
  const [, status] = await terminal.sees(/\n(?:\$ )?status (\d+)\n/);
  return Number(status);
}
