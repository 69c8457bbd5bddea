/**
 * The programs of the command's worker processes: `yodel serve --workers`, `yodel bench --threads`. Each is a file that
 * Node or Bun runs. An executable made by `bun build --compile` has no files: it runs itself, with the program's name as
 * its first argument.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A program that the command runs in another process. */
export type OwnProgram = 'serve-worker' | 'load-worker';

const prefix = '--run-program=';

/**
 * Returns the first argument for `process.execPath` that runs a program.
 *
 * @param file the program's file, which does not exist in a compiled executable
 */
export function programArgument(name: OwnProgram, file: URL): string {
  const path = fileURLToPath(file);
  return existsSync(path) ? path : `${prefix}${name}`;
}

/** Returns the program that this process should run, from its first argument. Undefined: the command itself. */
export function programToRun(argument: string | undefined): OwnProgram | undefined {
  return argument?.startsWith(prefix) ? (argument.slice(prefix.length) as OwnProgram) : undefined;
}
