/** The package as npm publishes it, and what it takes to install and run it elsewhere. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The project's folder, with a slash at its end. */
export const root: string = new URL('../../', import.meta.url).pathname;

/** What `npm pack` says. */
export interface Packed {
  /** The tarball's name. */
  readonly filename: string;
  /** In bytes, of all files. */
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Runs npm as a user would in a shell, and returns its stdout; what `npm run` adds to the environment is left out. */
export async function npm(args: readonly string[], folder: string): Promise<string> {
  const own = /^(npm_(?!config_registry|config_cafile|config_cache)|INIT_CWD)/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
  const { stdout } = await promisify(execFile)('npm', args, { cwd: folder, env, maxBuffer: 2 ** 26 });
  return stdout;
}

/** Packs the project. With a folder, the tarball is there afterwards. */
export async function pack(folder?: string): Promise<Packed> {
  const destination = folder === undefined ? ['--dry-run'] : ['--pack-destination', folder];
  const answer = JSON.parse(await npm(['pack', '--json', '--ignore-scripts', ...destination], root)) as unknown;
  // npm 12 gives an object by package names, earlier ones a list.
  const [packed] = Object.values(answer as Record<string, Packed>);
  if (!packed) throw new Error('npm pack says nothing');
  return packed;
}

/** Packages of other versions than the project uses itself, by the names under which they are installed. */
const others = {
  // The oldest that package.json allows, and the oldest whose SQLite is good enough for a journal.
  'node-oldest': 'npm:node@22.18.0',
  'node-journal': 'npm:node@22.23.3',
  'typescript-oldest': 'npm:typescript@5.6.2',
};

/**
 * Installs older versions of Node and TypeScript, unless an earlier run has, and returns their node_modules. They stay in
 * the project's node_modules/.cache, for they are large.
 */
export async function installOthers(): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(others)).digest('hex').slice(0, 16);
  const folder = join(root, 'node_modules/.cache/yodel-package-test', key);
  if (existsSync(folder)) return join(folder, 'node_modules');
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  // Node's package puts the binary in its place with a script.
  const manifest = { private: true, dependencies: others, allowScripts: { node: true } };
  writeFileSync(join(fresh, 'package.json'), JSON.stringify(manifest));
  await npm(['install', '--prefer-offline', '--no-audit', '--no-fund'], fresh);
  renameSync(fresh, folder);
  return join(folder, 'node_modules');
}

/** The size of all files of a folder, in bytes. */
export function sizeOf(folder: string): number {
  const sizes = execFileSync('find', [folder, '-type', 'f', '-printf', '%s\n'], { encoding: 'utf8' });
  return sizes.split('\n').reduce((sum, size) => sum + Number(size), 0);
}
