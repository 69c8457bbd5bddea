/** Finds the handler that `yodel serve` is asked for: by name, or in a file. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { handlersByName } from '../handlers/handlers.ts';
import { nearestWord } from '../options.ts';
import { type HandlerObject, resolveHandler } from '../session/handler.ts';
import { UsageError } from './fail.ts';

const rightForm = 'write for example: export default (message) => message.text.toUpperCase()';

/**
 * The handler of that name, or the default export of that file.
 *
 * @throws UsageError when there is none, it cannot be loaded, or it is not a handler
 */
export async function loadHandler(nameOrPath: string): Promise<HandlerObject> {
  const known = handlersByName[nameOrPath];
  if (known) return known.handler;
  const path = resolve(nameOrPath);
  if (!existsSync(path)) throw new UsageError(notFound(nameOrPath));
  if (!statSync(path).isFile())
    throw new UsageError(`the handler "${nameOrPath}" is not a file; name a .ts or .js file`);
  const module = await load(nameOrPath, path);
  if (module.default === undefined) {
    throw new UsageError(`the handler file ${nameOrPath} has no default export; ${rightForm}`);
  }
  try {
    return resolveHandler(module.default);
  } catch (error) {
    throw new UsageError(`the default export of ${nameOrPath} cannot be used: ${(error as Error).message}`);
  }
}

async function load(name: string, path: string): Promise<{ default?: unknown }> {
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    // Whatever the module does when it is loaded may throw: syntax errors, missing imports, its own code.
    const [first = '', ...trace] = String(error instanceof Error ? (error.stack ?? error) : error).split('\n');
    const reason = error instanceof Error ? `${error.name}: ${error.message}`.split('\n')[0] : first;
    const place = trace.find((frame) => frame.includes(path))?.trim();
    throw new UsageError(`the handler file ${name} cannot be loaded: ${reason}${place ? ` (${place})` : ''}`);
  }
}

function notFound(nameOrPath: string): string {
  const names = Object.keys(handlersByName);
  const listen = /^(tcp:|unix:|:?\d+$|.*:\d+$)/.test(nameOrPath);
  if (listen) return `"${nameOrPath}" looks like an address; write: yodel serve --listen ${nameOrPath}`;
  if (/[/\\.]/.test(nameOrPath)) return `the handler file ${nameOrPath} does not exist`;
  const nearest = nearestWord(nameOrPath, names);
  const hint = nearest
    ? `did you mean "${nearest}"?`
    : `there are ${names.join(' and ')}, or name a file such as ./handler.ts`;
  return `there is no handler "${nameOrPath}"; ${hint}`;
}
