/** Command lines in a shell. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './files.ts';
import { commandPath, type Outcome, type RunOptions, run } from './process/command.ts';

/** Creates a folder with the command `yodel`, for PATH. */
export function folderWithYodel(): string {
  const folder = temporaryFolder();
  const command = join(folder, 'yodel');
  writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${commandPath}' "$@"\n`);
  chmodSync(command, 0o755);
  return folder;
}

/** Runs a line in the shell, with `yodel` in PATH. */
export async function shell(line: string, options: RunOptions = {}): Promise<Outcome> {
  const path = `${folderWithYodel()}:${process.env.PATH}`;
  return await run(['sh', '-c', line], { hasChildren: true, ...options, env: { ...options.env, PATH: path } });
}
