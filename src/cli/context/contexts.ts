/**
 * Saved contexts: an address and flags of `yodel connect` under a name. Each is a TOML file, which can also be written by
 * hand, and which completion scripts find without running yodel. It contains no secrets, only paths of files.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemError } from '../../errors.ts';
import { hintFor } from '../../suggestion.ts';
import { UsageError } from '../fail.ts';

/** A context: the address, and settings by the names of their options. */
export interface SavedContext {
  readonly address: string;
  readonly [setting: string]: unknown;
}

const ending = '.toml';

/** The directory of contexts, as the XDG base directory specification defines it. */
function contextsDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'yodel', 'contexts');
}

/** The file of a context, which need not exist. @throws UsageError if the name is not valid */
export function contextPath(name: string): string {
  // The name is also a file name, and a word that shells complete.
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/i.test(name)) {
    throw new UsageError(`"${name}" cannot name a context: use letters, digits and . _ - (at most 64)`);
  }
  return join(contextsDirectory(), `${name}${ending}`);
}

/** The names of all contexts, sorted. */
export function contextNames(): string[] {
  try {
    const files = readdirSync(contextsDirectory());
    return files
      .filter((file) => file.endsWith(ending))
      .map((file) => file.slice(0, -ending.length))
      .sort();
  } catch {
    // Nothing is saved yet.
    return [];
  }
}

/** Reads a context. @throws UsageError if the context does not exist, or its file is invalid */
export async function readContext(name: string): Promise<SavedContext> {
  const path = existingPath(name);
  const { readConfig } = await import('../config/config.ts');
  const settings = await readConfig(path);
  const { address } = settings as { address?: unknown };
  if (typeof address !== 'string')
    throw new UsageError(`${path} has no address; it takes: address = "tcp://HOST:PORT"`);
  return { ...settings, address };
}

/** Saves a context, replacing one of the same name, and returns the path of its file. @throws UsageError, YodelError */
export async function writeContext(name: string, context: SavedContext): Promise<string> {
  const path = contextPath(name);
  const { stringify } = await import('smol-toml');
  const temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(contextsDirectory(), { recursive: true, mode: 0o700 });
    // Written to a temporary file and renamed, so that a command that reads it meanwhile gets the old file or the new one.
    writeFileSync(temporary, `${stringify(context).trimEnd()}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw systemError(`cannot save ${path}`, error);
  }
  return path;
}

/** Removes a context. @throws UsageError if the context does not exist */
export function removeContext(name: string): void {
  rmSync(existingPath(name));
}

function existingPath(name: string): string {
  const names = contextNames();
  if (names.includes(name)) return contextPath(name);
  const hint = names.length > 0 ? hintFor(name, names) : 'To save one: yodel context save NAME ADDRESS';
  throw new UsageError(`there is no context "${name}". ${hint}`);
}
