/** The private folder where workers listen for each other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemError } from '../errors.ts';

/** The path of a Unix socket has at most 107 bytes on Linux and 103 on macOS, and the number of a worker follows. */
const longestFolder = 90;
const prefix = 'yodel-';

/** Makes a folder that only this user may enter, below the system's folder for temporary files. @throws YodelError */
export function makeMeshFolder(): string {
  const name = join(tmpdir(), prefix);
  const fits = Buffer.byteLength(name) + 6 <= longestFolder;
  try {
    return mkdtempSync(fits ? name : join('/tmp', prefix));
  } catch (error) {
    throw systemError('cannot make a folder for the sockets of the workers', error);
  }
}

/** Removes the folder, with what killed workers left in it. */
export function removeMeshFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
