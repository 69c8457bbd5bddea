import { dirname, isAbsolute, join } from 'node:path';
import { YodelError } from '../errors.ts';
import { parseQuantity } from '../format/units.ts';
import type { Protocol } from '../framing/protocol.ts';
import { checkShapes, kindOf } from '../option-shapes.ts';
import { hintFor } from '../suggestion.ts';
import { parseJsonPath } from './content/json-path.ts';
import { parseLiteral } from './content.ts';
import { parseEnding } from './ending.ts';
import { parseMessage } from './message-line.ts';
import { Blocks } from './parse/blocks.ts';
import { Clients } from './parse/clients.ts';
import { readConnect, readStarttls } from './parse/connect.ts';
import { ownFunctions } from './parse/functions.ts';
import { Head, headDirectives } from './parse/head.ts';
import { DirectiveLine, Source } from './parse/source.ts';
import type { OwnFunction, Side, Step, Transcript } from './transcript.ts';

/** What {@link parseTranscript} needs for directives that name files, and framings of your own. */
export interface ParseOptions {
  /** Framings to use instead of those that the file names, such as your own. */
  readonly protocol?: Protocol | undefined;
  /** Values of names, which win over `@set` and defaults. */
  readonly variables?: Readonly<Record<string, string | Uint8Array>> | undefined;
  /** Reads a file that `@include` names; its errors become those of the line. Default: `@include` is an error. */
  readonly readFile?: ((path: string) => string) | undefined;
  /** The exports of a module that `@use` names. Default: `@use` is an error. */
  readonly readModule?: ((path: string) => Readonly<Record<string, unknown>>) | undefined;
}

/**
 * Reads a transcript.
 *
 * @param file its name, for error messages; what it includes is relative to it
 * @throws TranscriptError for the first invalid line
 */
export function parseTranscript(text: string, file = 'transcript', options: ParseOptions = {}): Transcript {
  if (typeof text !== 'string')
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `transcript.parse() takes the text of a transcript, not ${kindOf(text)}`,
    );
  checkShapes(options, known, 'transcript.parse()');
  return new Reader(options).read(text, file);
}

const known = { protocol: 'object', variables: 'object', readFile: 'function', readModule: 'function' } as const;

const blockDirectives = ['repeat', 'unordered', 'end'] as const;
const fileDirectives = ['include', 'use'] as const;
const stepDirectives = [
  'timeout',
  'wait',
  'silence',
  'ending',
  'expect-ending',
  'connect',
  'starttls',
  'close',
  'closed',
  'reset',
  'set',
  'ignore',
] as const;
const directives = [...headDirectives, ...stepDirectives, ...blockDirectives, ...fileDirectives] as const;
type StepDirective = (typeof stepDirectives)[number];

class Reader {
  readonly #options: ParseOptions;
  readonly #head: Head;
  readonly #clients = new Clients();
  readonly #blocks = new Blocks();
  readonly #functions = new Map<string, OwnFunction>();
  readonly #included = new Map<string, readonly string[]>();
  /** The files that are being read, from the outermost to the innermost. */
  readonly #files: string[] = [];
  #hasMessages = false;

  constructor(options: ParseOptions) {
    this.#options = options;
    this.#head = new Head(options.protocol);
  }

  read(text: string, file: string): Transcript {
    const source = new Source(file, text, false);
    this.#readAll(source);
    return {
      file,
      lines: source.lines,
      included: this.#included,
      ...this.#head.wire,
      address: this.#head.address,
      steps: this.#blocks.steps,
      given: this.#options.variables ?? {},
      clients: this.#clients.names,
    };
  }

  #readAll(source: Source): void {
    this.#files.push(source.file);
    for (const text of source.lines) {
      source.line++;
      if (text.startsWith('#')) this.#readComment(source, text);
      else if (text.startsWith('@')) this.#readDirective(source, text);
      else if (!/^\s*$/.test(text)) this.#readMessage(source, text);
    }
    this.#blocks.expectNone(source);
    this.#files.pop();
  }

  /** Only `#+ 12ms` means something. */
  #readComment(source: Source, text: string): void {
    const [, time] = /^#\+ (\S+)\s*$/.exec(text) ?? [];
    const ms = time === undefined ? undefined : parseQuantity('duration', time);
    if (ms !== undefined && !this.#blocks.isUnordered) this.#add(source, { ...source.place, kind: 'pace', ms });
  }

  #readMessage(source: Source, text: string): void {
    const [head, client = '', side, mark] = /^([A-Za-z][A-Za-z0-9_-]*)?([<>])(\?|\*(?=\s*$))?/.exec(text) ?? [];
    if (head === undefined) {
      const [, indent = ''] = /^(\s+)\S/.exec(text) ?? [];
      const where = indent === '' ? '' : 'indentation is not allowed; ';
      source.refuse(indent.length, `${where}a line starts with > or < (also A> for a client named A), # or @`);
    }
    const sent = { ...source.place, side: side as Side, client };
    const step: Step =
      mark === '*'
        ? { ...sent, kind: 'any' }
        : { ...sent, kind: 'message', isOptional: mark === '?', ...this.#readContent(source, head.length) };
    this.#hasMessages = true;
    this.#clients.add(source, client, 0);
    this.#add(source, step);
  }

  #readContent(source: Source, at: number) {
    return source.parse(at, (rest) => parseMessage(rest, this.#functions));
  }

  #readDirective(source: Source, text: string): void {
    const [, name = ''] = /^@([^\s]*)/.exec(text) ?? [];
    const known = directives.find((directive) => directive === name);
    if (known === undefined) {
      source.refuse(
        0,
        name === ''
          ? `@ must be followed by one of: ${directives.join(', ')}`
          : `unknown directive @${name}. ${hintFor(name, directives)}`,
      );
    }
    const line = new DirectiveLine(source, known);
    switch (known) {
      case 'address':
      case 'framing':
      case 'reply-framing':
      case 'protocol':
        return this.#head.read(known, line, this.#hasMessages);
      case 'repeat':
        return this.#blocks.beginRepeat(line);
      case 'unordered':
        return this.#blocks.beginUnordered(line);
      case 'end':
        return this.#blocks.end(line);
      case 'include':
        return this.#include(line);
      case 'use':
        return this.#use(line);
      default:
        return this.#add(source, this.#readStep(known, line));
    }
  }

  #readStep(name: StepDirective, line: DirectiveLine): Step {
    const { place } = line.source;
    switch (name) {
      case 'timeout':
      case 'wait': {
        const ms = line.duration(0);
        line.expectOnly(1);
        return { ...place, kind: name, ms };
      }
      case 'ending':
      case 'expect-ending':
        return { ...place, kind: name, ending: readEnding(name, line) };
      case 'silence': {
        const ms = line.duration(0);
        const client = this.#clients.read(line, line.words[1]);
        line.expectOnly(2);
        return { ...place, kind: name, ms, client };
      }
      case 'connect':
        return readConnect(line, this.#clients, this.#functions);
      case 'starttls':
        return readStarttls(line, this.#clients);
      case 'set':
        return this.#readSet(line);
      case 'ignore':
        line.word(0, 'JSON paths such as $.time or $.items[*].id');
        return {
          ...place,
          kind: name,
          paths: line.words.map(({ text, at }) => line.source.parse(at, () => parseJsonPath(text))),
        };
      default: {
        const client = this.#clients.read(line, line.words[0]);
        line.expectOnly(1);
        return { ...place, kind: name, client };
      }
    }
  }

  #readSet(line: DirectiveLine): Step {
    const { source } = line;
    const [head, name] = /^@set\s+([A-Za-z_]\w*)=/.exec(source.text) ?? [];
    if (head === undefined || name === undefined)
      line.refuse(line.words[0]?.at ?? line.end, 'expected a name and its value: @set user=Ada');
    const value = source.parse(head.length, (text) => parseLiteral(text, this.#functions));
    return { ...source.place, kind: 'set', name, value };
  }

  #include(line: DirectiveLine): void {
    const { at } = line.word(0, 'a file, such as login.transcript');
    const { readFile } = this.#options;
    if (!readFile) line.refuse(at, '@include needs the option readFile, which reads files');
    const path = pathFrom(line.source.file, line.rest);
    if (this.#files.includes(path)) line.refuse(at, `${path} includes itself: ${[...this.#files, path].join(' > ')}`);
    const source = new Source(
      path,
      readAt(line, at, () => readFile(path)),
      true,
    );
    this.#included.set(path, source.lines);
    this.#readAll(source);
  }

  #use(line: DirectiveLine): void {
    const { at } = line.word(0, 'a module, such as ./checksums.ts');
    const { readModule } = this.#options;
    if (!readModule) line.refuse(at, '@use needs the option readModule, which returns what a module exports');
    const path = pathFrom(line.source.file, line.rest);
    for (const [name, own] of readAt(line, at, () => ownFunctions(readModule(path), path)))
      this.#functions.set(name, own);
  }

  #add(source: Source, step: Step): void {
    this.#clients.note(step);
    this.#blocks.add(source, step);
  }
}

/** A path that is written in a file. */
function pathFrom(file: string, path: string): string {
  return isAbsolute(path) ? path : join(dirname(file), path);
}

/** Errors of reading a file are errors of the line that names it. */
function readAt<Result>(line: DirectiveLine, at: number, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    return line.refuse(at, error instanceof Error ? error.message : String(error));
  }
}

function readEnding(name: 'ending' | 'expect-ending', line: DirectiveLine): Uint8Array | undefined {
  const [word] = line.words;
  const read =
    word && (name === 'expect-ending' && word.text === 'any' ? { ending: undefined } : parseEnding(word.text));
  const usual = name === 'ending' ? 'default' : 'any';
  if (!read || (name === 'expect-ending' && word.text === 'default'))
    return line.refuse(word?.at ?? line.end, `@${name} takes lf, crlf, none, ${usual}, or bytes such as \\0`);
  line.expectOnly(1);
  return read.ending;
}
