/** A conversation by hand: `yodel connect` in a real terminal. */
import { Terminal } from './terminal.ts';

/** Starts `yodel connect ADDRESS ARGS` in a terminal and waits for its prompt. */
export async function connectTo(address: string, terminal = new Terminal(), args = ''): Promise<Terminal> {
  terminal.enter(`clear; yodel connect ${address} ${args}`);
  await terminal.sees(/connected to [\s\S]*Ctrl-D ends\n[\s\S]*>$/);
  return terminal;
}

/**
 * The exit status of what runs in the terminal, once it has ended: what is typed before that could still be read by it. What
 * is typed before the shell reads again stands above its prompt.
 */
export async function exitStatusIn(terminal: Terminal): Promise<number> {
  await terminal.sees(/\$$/);
  terminal.enter('echo "status $?"');
  const [, status] = await terminal.sees(/\n(?:\$ )?status (\d+)\n/);
  return Number(status);
}
