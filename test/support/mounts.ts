/** File systems that a test mounts, where it is allowed to. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, test } from 'vitest';

/** `test` where file systems can be mounted; skipped elsewhere, even in CI: no package could change that. */
export const testWithMounts: typeof test.skip = canMount() ? (test as unknown as typeof test.skip) : test.skip;

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-mount-'));
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status === 0;
  if (isMounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
  return isMounted;
}

/** Mounts a file system until the test ends, and returns its folder. */
export function mounted(...args: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
  const { status, stderr } = spawnSync('mount', [...args, folder]);
  if (status !== 0) throw new Error(`cannot mount ${args.join(' ')}: ${stderr}`);
  onTestFinished(() => unmount(folder));
  return folder;
}

/** Unmounts a file system and removes its folder. */
export function unmount(folder: string): void {
  // Processes with open files in it were killed, but may still be exiting.
  if (spawnSync('umount', [folder]).status !== 0) spawnSync('umount', ['-l', folder]);
  rmSync(folder, { recursive: true, force: true });
}
