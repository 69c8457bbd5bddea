/** Packs the package as npm publishes it, and installs what is needed to run it elsewhere. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The project's folder, with a trailing slash. */
export const root: string = new URL('../../', import.meta.url).pathname;

/** The result of `npm pack`. */
export interface Packed {
  /** Name of the tarball. */
  readonly filename: string;
  /** Total size of the files in bytes. */
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Runs npm without the environment that `npm run` adds, and returns its stdout. */
export async function npm(args: readonly string[], folder: string): Promise<string> {
  const own = /^(npm_(?!config_registry|config_cafile|config_cache)|INIT_CWD)/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
  const { stdout } = await promisify(execFile)('npm', args, { cwd: folder, env, maxBuffer: 2 ** 26 });
  return stdout;
}

/** Packs the project, into `folder` if there is one. The build must be current. */
export async function pack(folder?: string): Promise<Packed> {
  const destination = folder === undefined ? ['--dry-run'] : ['--pack-destination', folder];
  const answer = JSON.parse(await npm(['pack', '--json', '--ignore-scripts', ...destination], root)) as unknown;
  // npm 12 prints an object with package names as keys, earlier versions an array.
  const [packed] = Object.values(answer as Record<string, Packed>);
  if (!packed) throw new Error('npm pack printed no package');
  return packed;
}

/** Older versions than the project itself uses, by the names they are installed under. */
const others = {
  // The oldest that package.json allows, and the oldest 22 whose SQLite is recent enough for a journal.
  'node-oldest': 'npm:node@22.18.0',
  'node-journal': 'npm:node@22.23.3',
  'typescript-oldest': 'npm:typescript@5.6.2',
  'typescript-5.7': 'npm:typescript@5.7.3',
  'typescript-5.9': 'npm:typescript@5.9.3',
  'typescript-6': 'npm:typescript@6.0.3',
};

/**
 * Installs older versions of Node and TypeScript and returns their node_modules. They are large, so they are kept in the
 * project's node_modules/.cache.
 */
export async function installOthers(): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(others)).digest('hex').slice(0, 16);
  const folder = join(root, 'node_modules/.cache/yodel-package-test', key);
  if (existsSync(folder)) return join(folder, 'node_modules');
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  // The package of Node selects its binary with a script.
  const manifest = { private: true, dependencies: others, allowScripts: { node: true } };
  writeFileSync(join(fresh, 'package.json'), JSON.stringify(manifest));
  await npm(['install', '--prefer-offline', '--no-audit', '--no-fund'], fresh);
  renameSync(fresh, folder);
  return join(folder, 'node_modules');
}

/** Returns the total size of the files in a folder, in bytes. */
export function sizeOf(folder: string): number {
  const sizes = execFileSync('find', [folder, '-type', 'f', '-printf', '%s\n'], { encoding: 'utf8' });
  return sizes.split('\n').reduce((sum, size) => sum + Number(size), 0);
}
