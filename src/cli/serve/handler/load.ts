/** Finds the handler of `yodel serve`, by its name or in a file. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, parse, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { formatPeer } from '../../../address.ts';
import type { YodelError } from '../../../errors.ts';
import type { Encoding } from '../../../framing/framing.ts';
import { handlersByName } from '../../../handlers/handlers.ts';
import { type HandlerObject, resolveHandler, type Session } from '../../../session/handler.ts';
import { nearestWord } from '../../../suggestion.ts';
import { escapeText } from '../../../terminal/escape.ts';
import { UsageError } from '../../fail.ts';
import { readText } from '../../files.ts';

const example = 'example: export default (message) => message.text.toUpperCase()';

/** How often files were loaded. A module is loaded again only under another name. */
let loads = 0;

/** A handler, with the framing and encoding that it needs. */
export interface LoadedHandler {
  readonly handler: HandlerObject;
  /** The framing that it needs, in its text form; undefined: any. */
  readonly framing?: string | undefined;
  /** The encoding that it needs; undefined: the framing's default. */
  readonly encoding?: Encoding | undefined;
}

/** What a handler may need. */
export interface LoadOptions {
  /** Whether a transcript accepts messages in any order, any number of times. */
  readonly lenient: boolean;
  readonly notify: (text: string) => void;
}

/**
 * Loads a handler by name, the current default export of a file, or the server's part of a transcript. The
 * imports of a handler file are not loaded again.
 *
 * @throws UsageError if it does not exist, cannot be loaded, or is not a handler
 * @throws TranscriptError
 */
export async function loadHandler(nameOrPath: string, options: LoadOptions): Promise<LoadedHandler> {
  const known = handlersByName[nameOrPath];
  if (known) return { handler: known.handler };
  if (nameOrPath.endsWith('.transcript')) return await loadTranscript(nameOrPath, options);
  return { handler: await loadFile(nameOrPath) };
}

async function loadTranscript(path: string, { lenient, notify }: LoadOptions): Promise<LoadedHandler> {
  const { mockServer, parseTranscript } = await import('./transcript.ts');
  const transcript = parseTranscript(readText(path), path);
  const unexpected = (session: Session, error: YodelError) =>
    notify(`${formatPeer(session.peer)}#${session.id}: ${escapeText(error.message)}`);
  return {
    handler: mockServer(transcript, { lenient, unexpected }),
    framing: transcript.framing?.name,
    encoding: 'binary',
  };
}

async function loadFile(nameOrPath: string): Promise<HandlerObject> {
  const path = resolve(nameOrPath);
  if (!existsSync(path)) throw new UsageError(notFound(nameOrPath));
  if (!statSync(path).isFile())
    throw new UsageError(`the handler "${nameOrPath}" is not a file; name a .ts or .js file`);
  const module = await load(nameOrPath, path);
  // For Node a file without import and export is CommonJS, and its default export an empty object.
  if (module.default === undefined || isEmptyObject(module.default)) {
    throw new UsageError(`the handler file ${nameOrPath} has no default export, or an empty one; ${example}`);
  }
  try {
    return resolveHandler(module.default);
  } catch (error) {
    throw new UsageError(`the default export of ${nameOrPath} cannot be used: ${(error as Error).message}`);
  }
}

/** The path of a handler file; undefined for a handler that is not a file. */
export function handlerPath(nameOrPath: string): string | undefined {
  return handlersByName[nameOrPath] || /^(exec|proxy):/.test(nameOrPath) ? undefined : resolve(nameOrPath);
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.keys(value).length === 0
  );
}

async function load(name: string, path: string): Promise<{ default?: unknown }> {
  try {
    return await import(specifierOf(path));
  } catch (error) {
    // Expected: syntax errors, missing imports, and whatever its own code throws.
    const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
    const place = placeOf(first, path);
    const reason = `${reasonOf(first)}${place ? ` (${place})` : ''}`;
    throw new UsageError(`the handler file ${name} cannot be loaded: ${reason}${moduleTypeHint(first, path)}`);
  }
}

/** A path with a query, because Bun ignores the query of a file URL; or a URL if the path contains characters of URLs. */
function specifierOf(path: string): string {
  loads++;
  if (loads === 1) return pathToFileURL(path).href;
  const query = `?load=${loads}`;
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

function nearestPackageJson(path: string): string | undefined {
  const directory = dirname(path);
  if (directory === path) return undefined;
  const file = join(directory, 'package.json');
  return existsSync(file) ? file : nearestPackageJson(directory);
}

function notFound(nameOrPath: string): string {
  const names = Object.keys(handlersByName);
  const listen = /^(tcp:|unix:|:?\d+$|.*:\d+$)/.test(nameOrPath);
  if (listen) return `"${nameOrPath}" looks like an address; write: yodel serve --listen ${nameOrPath}`;
  if (/[/\\.]/.test(nameOrPath)) return `the handler file ${nameOrPath} does not exist`;
  const nearest = nearestWord(nameOrPath, names);
  const hint = nearest
    ? `did you mean "${nearest}"?`
    : `use ${names.join(', ')}, exec:COMMAND, proxy:ADDRESS, or a file such as ./handler.ts`;
  return `there is no handler "${nameOrPath}"; ${hint}`;
}
