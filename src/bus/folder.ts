/** The private folder where workers listen for each other. */
import { lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemError } from '../errors.ts';

/** The path of a Unix socket has at most 107 bytes on Linux and 103 on macOS, and the number of a worker follows. */
const longestFolder = 90;
const prefix = 'yodel-';

/**
 * Makes a folder that only this user may enter, below the system's folder for temporary ones; below `/tmp` if that one cannot be
 * used, or its path is too long for a socket.
 *
 * @throws YodelError
 */
export function makeMeshFolder(): string {
  const names = [...new Set([tmpdir(), '/tmp'])].map((folder) => join(folder, prefix));
  let failure: unknown;
  for (const name of names) {
    if (Buffer.byteLength(name) + 6 > longestFolder) continue;
    try {
      return mkdtempSync(name);
    } catch (error) {
      failure ??= error;
    }
  }
  throw systemError('cannot make a folder for the sockets of the workers', failure);
}

/**
 * Creates the folder again if it is gone: systems remove old files from the folder for temporary ones. A folder of that name that
 * belongs to another user remains an error.
 *
 * @throws YodelError
 */
export function restoreMeshFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && isPrivate(folder)) return;
    throw systemError('cannot make the folder for the sockets of the workers', error);
  }
}

function isPrivate(folder: string): boolean {
  const { mode, uid } = lstatSync(folder);
  return (mode & 0o170_777) === 0o040_700 && uid === process.getuid?.();
}

/** Removes the folder, with what killed workers left in it. */
export function removeMeshFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
