/** Reads transcripts, with the files that they name: others to include, framings and functions of your own. */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { isFramingFile } from '../framing/notation.ts';
import { type ParseOptions, parseTranscript } from '../transcript/parse.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { UsageError } from './fail.ts';
import { readText } from './files.ts';

/** What modules of `@use` export, by their absolute paths. */
const modules = new Map<string, Readonly<Record<string, unknown>>>();

/**
 * Reads a transcript. Files that it names are relative to it. Those with code are loaded: `@framing ./mine.ts`, `@use ./mine.ts`.
 *
 * @param given framings to use instead of those that the file names, and values of names
 * @throws UsageError, TranscriptError
 */
export async function readTranscript(file: string, given: GivenToTranscript = {}): Promise<Transcript> {
  const text = readText(file);
  await loadNamedFiles(text, file, given.protocol !== undefined, new Set());
  return parseTranscript(text, file, parseOptions(given));
}

/** What the command line says about a transcript. */
export type GivenToTranscript = Pick<ParseOptions, 'protocol' | 'variables'>;

/** Options to parse a text again that {@link readTranscript} has read. */
export function parseOptions({ protocol, variables }: GivenToTranscript): ParseOptions {
  return { protocol, variables, readFile: readText, readModule: loadedModule };
}

function loadedModule(path: string): Readonly<Record<string, unknown>> {
  const found = modules.get(resolve(path));
  if (!found) throw new UsageError(`the module ${path} is not loaded`);
  return found;
}

const namesFile = /^@((?:reply-)?framing|protocol|use|include|connect)[ \t]+(\S.*?)\s*$/gm;

/** @param seen files whose directives were read already */
async function loadNamedFiles(text: string, file: string, hasProtocol: boolean, seen: Set<string>): Promise<void> {
  seen.add(resolve(file));
  for (const [, directive = '', name = ''] of text.matchAll(namesFile)) {
    const path = isAbsolute(name) ? name : join(dirname(file), name);
    if (directive === 'include') await loadIncluded(path, hasProtocol, seen);
    else if (directive === 'use') await loadFunctions(path);
    else if (directive === 'connect') await loadConnectFiles(name, file);
    else if (!hasProtocol && isFramingFile(name)) await loadFile(directive, path);
  }
}

async function loadIncluded(path: string, hasProtocol: boolean, seen: Set<string>): Promise<void> {
  if (seen.has(resolve(path))) return;
  let text: string;
  try {
    text = readText(path);
  } catch {
    // Reported when the line is read, with its place.
    return;
  }
  await loadNamedFiles(text, path, hasProtocol, seen);
}

async function loadFunctions(path: string): Promise<void> {
  const { loadExports } = await import('./module-file.ts');
  const example = 'example: export function sign(bytes) { … }; see docs/transcripts.md';
  modules.set(resolve(path), await loadExports(path, { what: 'module', example }));
}

/** The framings of a second connection: `@connect data {port} framing=./mine.ts`. */
async function loadConnectFiles(words: string, file: string): Promise<void> {
  for (const [, option = '', name = ''] of words.matchAll(/\b((?:reply-)?framing|protocol)=(\S+)/g))
    if (isFramingFile(name)) await loadFile(option, isAbsolute(name) ? name : join(dirname(file), name));
}

async function loadFile(directive: string, path: string): Promise<void> {
  const { loadFraming, loadProtocol } = await import('./wire.ts');
  await (directive === 'protocol' ? loadProtocol : loadFraming)(resolve(path));
}
