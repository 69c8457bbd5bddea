/**
 * The programs that the command runs in other processes, for `yodel serve --workers` and `yodel bench --threads`. Each is a
 * file, which Node or Bun runs. In an executable built by `bun build --compile` there are no files; the executable runs
 * itself, with the program's name as its first argument.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where each program is, below src/ and dist/. */
const files = { 'serve-worker': 'cli/serve/worker', 'load-worker': 'load/worker' } as const;

/** A program that the command runs in a separate process. */
export type OwnProgram = keyof typeof files;

const prefix = '--run-program=';

/** The first argument for `process.execPath` to run a program. */
export function programArgument(name: OwnProgram): string {
  // In src/ this file is one directory deep; in dist/ it is part of a chunk, which is also one directory deep.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const path = fileURLToPath(new URL(`../${files[name]}.${extension}`, import.meta.url));
  return existsSync(path) ? path : `${prefix}${name}`;
}

/** The program that this process was started to run; undefined if it is the command itself. */
export function programToRun(argument: string | undefined): OwnProgram | undefined {
  return argument?.startsWith(prefix) ? (argument.slice(prefix.length) as OwnProgram) : undefined;
}
