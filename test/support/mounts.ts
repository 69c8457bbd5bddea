/** File systems that a test makes for itself, where it may. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, test } from 'vitest';

/** `test` where file systems can be mounted; elsewhere it is skipped: no package could change that. */
export const testWithMounts: typeof test.skip = canMount() ? (test as unknown as typeof test.skip) : test.skip;

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-mount-'));
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status === 0;
  if (isMounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
  return isMounted;
}

/** Mounts something until the test ends, and gives the folder. */
export function mounted(...args: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
  const { status, stderr } = spawnSync('mount', [...args, folder]);
  if (status !== 0) throw new Error(`cannot mount ${args.join(' ')}: ${stderr}`);
  onTestFinished(() => unmount(folder));
  return folder;
}

/** Takes a mount away, and its folder with it. */
export function unmount(folder: string): void {
  // Whoever had files open in it has been killed, but may not be gone yet.
  if (spawnSync('umount', [folder]).status !== 0) spawnSync('umount', ['-l', folder]);
  rmSync(folder, { recursive: true, force: true });
}
