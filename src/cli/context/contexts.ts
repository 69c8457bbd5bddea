/**
 * Saved contexts: an address and flags of `yodel connect` under a name. Each is a small TOML file of its own, which a person
 * may write as well, and which completion finds without starting yodel. No secret is ever in it, only paths of files.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemError } from '../../errors.ts';
import { hintFor } from '../../suggestion.ts';
import { UsageError } from '../fail.ts';

/** What a context says: the address, and settings by the names of their options. */
export interface SavedContext {
  readonly address: string;
  readonly [setting: string]: unknown;
}

const ending = '.toml';

/** Where contexts are kept: in the place that the XDG base directory specification has for configuration. */
export function contextsFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'yodel', 'contexts');
}

/** The file of a context, whether it is there or not. @throws UsageError when the name is none */
export function contextPath(name: string): string {
  // It becomes a file's name, and a word for shells to complete.
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/i.test(name)) {
    throw new UsageError(
      `"${name}" cannot name a context: a name is made of letters, digits and . _ - (64 at the most)`,
    );
  }
  return join(contextsFolder(), `${name}${ending}`);
}

/** The names of all contexts, in the order of the alphabet. */
export function contextNames(): string[] {
  try {
    const files = readdirSync(contextsFolder());
    return files
      .filter((file) => file.endsWith(ending))
      .map((file) => file.slice(0, -ending.length))
      .sort();
  } catch {
    // Nothing has been saved yet.
    return [];
  }
}

/** @throws UsageError when there is none of that name, with the nearest that there is; or its file is wrong */
export async function readContext(name: string): Promise<SavedContext> {
  const path = existingPath(name);
  const { readConfig } = await import('../config/config.ts');
  const settings = await readConfig(path);
  const { address } = settings as { address?: unknown };
  if (typeof address !== 'string')
    throw new UsageError(`${path} has no address; it takes: address = "tcp://HOST:PORT"`);
  return { ...settings, address };
}

/** Saves a context in place of the one that had the name. Gives the path of its file. @throws UsageError, YodelError */
export async function writeContext(name: string, context: SavedContext): Promise<string> {
  const path = contextPath(name);
  const { stringify } = await import('smol-toml');
  const fresh = `${path}.${process.pid}`;
  try {
    mkdirSync(contextsFolder(), { recursive: true, mode: 0o700 });
    // Put in its place whole: a command that reads it at this moment gets the old one or the new one.
    writeFileSync(fresh, `${stringify(context).trimEnd()}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw systemError(`cannot save ${path}`, error);
  }
  return path;
}

/** @throws UsageError when there is none of that name */
export function removeContext(name: string): void {
  rmSync(existingPath(name));
}

function existingPath(name: string): string {
  const names = contextNames();
  if (names.includes(name)) return contextPath(name);
  const hint =
    names.length > 0 ? hintFor(name, names) : 'None is saved; save one with: yodel context save NAME ADDRESS';
  throw new UsageError(`there is no context "${name}". ${hint}`);
}
