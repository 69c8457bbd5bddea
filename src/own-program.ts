/**
 * The programs of the command's further processes: `yodel serve --workers`, `yodel bench --threads`. Each is a file, which
 * Node or Bun runs. In an executable made by `bun build --compile` there are no files; the executable runs itself, with
 * the program's name as its first argument.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A program that the command runs in a process of its own. */
export type OwnProgram = 'serve-worker' | 'load-worker';

const prefix = '--run-program=';

/**
 * The first argument for `process.execPath` to run a program.
 *
 * @param file where the program is, unless it was compiled
 */
export function programArgument(name: OwnProgram, file: URL): string {
  const path = fileURLToPath(file);
  return existsSync(path) ? path : `${prefix}${name}`;
}

/** The program that this process was started to run; undefined if it is the command itself. */
export function programToRun(argument: string | undefined): OwnProgram | undefined {
  return argument?.startsWith(prefix) ? (argument.slice(prefix.length) as OwnProgram) : undefined;
}
