/** Loads files of the user's own code: handlers, framings, protocols. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, parse, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UsageError } from './fail.ts';
import { readText } from './files.ts';

/** How often each file was loaded. A module is loaded again only under another name. */
const loads = new Map<string, number>();

/** A kind of file, for errors. */
export interface FileKind {
  /** `handler`, `framing`. */
  readonly what: string;
  /** What to write into such a file: `example: export default …`. */
  readonly example: string;
}

/**
 * Returns the current default export of a file. The imports of the file are not loaded again.
 *
 * @throws UsageError if it does not exist, cannot be loaded, or has no default export
 */
export async function loadDefaultExport(name: string, kind: FileKind): Promise<unknown> {
  return defaultExportOf(await loadExports(name, kind), name, kind);
}

/** The default export among all that a file exports. @throws UsageError if there is none */
export function defaultExportOf(module: Readonly<Record<string, unknown>>, name: string, kind: FileKind): unknown {
  // For Node a file without import and export is CommonJS, and its default export an empty object.
  if (module.default === undefined || isEmptyObject(module.default)) {
    throw new UsageError(`the ${kind.what} file ${name} has no default export, or an empty one; ${kind.example}`);
  }
  return module.default;
}

/** Returns what a file exports now. @throws UsageError if it does not exist or cannot be loaded */
export async function loadExports(name: string, { what }: FileKind): Promise<Readonly<Record<string, unknown>>> {
  const path = resolve(name);
  if (!existsSync(path)) throw new UsageError(`the ${what} file ${name} does not exist`);
  if (!statSync(path).isFile()) throw new UsageError(`the ${what} "${name}" is not a file; name a .ts or .js file`);
  return await load(name, path, what);
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.keys(value).length === 0
  );
}

async function load(name: string, path: string, what: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await import(specifierOf(path));
  } catch (error) {
    // Expected: syntax errors, missing imports, and whatever its own code throws.
    const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
    const place = placeOf(first, path);
    const reason = `${reasonOf(first)}${place ? ` (${place})` : ''}`;
    throw new UsageError(
      `the ${what} file ${name} cannot be loaded: ${reason}${moduleTypeHint(first, path)}${packageHint(reason)}`,
    );
  }
}

/** A path with a query, because Bun ignores the query of a file URL; or a URL if the path contains characters of URLs. */
function specifierOf(path: string): string {
  const count = (loads.get(path) ?? 0) + 1;
  loads.set(path, count);
  if (count === 1) return pathToFileURL(path).href;
  const query = `?load=${count}`;
  return /[%?#]/.test(path) ? pathToFileURL(path).href + query : path + query;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String((error as Partial<Error> | null)?.message ?? error);
  return `${error.name}: ${error.message.split('\n')[0]}`;
}

/** The place of the error in the file, if known. */
function placeOf(error: unknown, path: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  // The place of a syntax error is in a field of its own on Bun, and in the first line of the stack on Node.
  const { position, stack = '' } = error as { position?: { file: string; line: number } | null; stack?: string };
  if (position) return `${position.file}:${position.line}`;
  const [head = '', ...calls] = stack.split('\n');
  return /^\S+:\d+$/.test(head) ? head : calls.find((call) => call.includes(path))?.trim();
}

/** What to change if Node read a file with `import` or `export` as CommonJS, because of its package.json; else empty. */
function moduleTypeHint(error: unknown, path: string): string {
  const { base, ext } = parse(path);
  if (!(error instanceof SyntaxError) || !/'export'|import statement/.test(error.message)) return '';
  if (ext !== '.ts' && ext !== '.js') return '';
  const settings = nearestPackageJson(path);
  if (settings === undefined || !/"type"\s*:\s*"commonjs"/.test(readText(settings))) return '';
  return `; set "type": "module" in ${settings}, or rename the file to ${base.replace(/(ts|js)$/, 'm$1')}`;
}

/** What to do if it imports more than types of yodel, and yodel is not installed where it is; else empty. */
function packageHint(reason: string): string {
  return /Cannot find (?:package|module) 'yodel'/.test(reason)
    ? '; install yodel in the folder of the file, or import only types from it'
    : '';
}

function nearestPackageJson(path: string): string | undefined {
  const directory = dirname(path);
  if (directory === path) return undefined;
  const file = join(directory, 'package.json');
  return existsSync(file) ? file : nearestPackageJson(directory);
}
