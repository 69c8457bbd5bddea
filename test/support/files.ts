/** Files that exist as long as a test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Creates a folder for the test. Its path is short enough for Unix sockets. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file into a new folder and returns its path. */
export function temporaryFile(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

/** Writes a handler file and returns its path. */
export function handlerFile(source: string, name = 'handler.ts'): string {
  return temporaryFile(name, source);
}
