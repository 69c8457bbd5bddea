import { dirname } from 'node:path';
import { parseAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { parseQuantity } from '../format/units.ts';
import { lines } from '../framing/delimited/lines.ts';
import type { Framing } from '../framing/framing.ts';
import type { Protocol } from '../framing/protocol.ts';
import { longestDuration } from '../options.ts';
import { hintFor } from '../suggestion.ts';
import { ContentError } from './content.ts';
import { parseEnding } from './ending.ts';
import { parseMessage } from './message-line.ts';
import {
  type ConnectTls,
  type MessageContent,
  type Side,
  type Step,
  type Transcript,
  TranscriptError,
} from './transcript.ts';
import { protocolFrom, readFraming, readProtocol } from './wire.ts';

/**
 * Reads a transcript.
 *
 * @param file its name, for error messages
 * @param protocol framings to use instead of those that the file names, such as your own
 * @throws TranscriptError for the first invalid line
 */
export function parseTranscript(text: string, file = 'transcript', protocol?: Protocol): Transcript {
  return new Reader(text, file, protocol).read();
}

/** An argument of a directive, and its index in the line. */
interface Word {
  readonly text: string;
  readonly at: number;
}

const directives = [
  'address',
  'framing',
  'reply-framing',
  'protocol',
  'timeout',
  'wait',
  'silence',
  'ending',
  'connect',
  'close',
  'closed',
  'reset',
] as const;
type Directive = (typeof directives)[number];

const clientName = /^[A-Za-z][A-Za-z0-9_-]*$/;

class Reader {
  readonly #file: string;
  readonly #lines: string[];
  readonly #steps: Step[] = [];
  readonly #clients: string[] = [];
  /** Clients that are connected at the current line. */
  readonly #connected = new Set<string>();
  readonly #given: Protocol | undefined;
  #framing: Framing | undefined;
  #replyFraming: Framing | undefined;
  #protocol: Protocol | undefined;
  #address: string | undefined;
  /** Number of the current line, from 1. */
  #line = 0;

  constructor(text: string, file: string, given: Protocol | undefined) {
    this.#file = file;
    this.#given = given;
    this.#lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
    // The empty text after the last line end is not a line.
    if (this.#lines.at(-1) === '') this.#lines.pop();
  }

  read(): Transcript {
    for (const line of this.#lines) {
      this.#line++;
      if (/^\s*$/.test(line) || line.startsWith('#')) continue;
      if (line.startsWith('@')) this.#readDirective(line);
      else this.#readMessage(line);
    }
    const named = this.#given ?? this.#protocol;
    const framing = named?.framing ?? this.#framing;
    const replyFraming = named?.replyFraming ?? this.#replyFraming;
    return {
      file: this.#file,
      lines: this.#lines,
      framing,
      replyFraming,
      protocol: named ?? protocolFrom(framing ?? lines(), replyFraming),
      address: this.#address,
      steps: this.#steps,
      clients: this.#clients,
    };
  }

  #readMessage(line: string): void {
    const [head, client, side] = /^([A-Za-z][A-Za-z0-9_-]*)?([<>])/.exec(line) ?? [];
    if (head === undefined) {
      const [, indent = ''] = /^(\s+)\S/.exec(line) ?? [];
      const where = indent === '' ? '' : 'indentation is not allowed; ';
      return this.#refuse(indent.length, `${where}a line starts with > or < (also A> for a client named A), # or @`);
    }
    const content = this.#readContent(line, head.length);
    this.#addClient(client ?? '', 0);
    this.#add({ kind: 'message', side: side as Side, client: client ?? '', ...content, line: this.#line });
  }

  #readContent(line: string, at: number): MessageContent {
    try {
      return parseMessage(line.slice(at));
    } catch (error) {
      if (error instanceof ContentError) return this.#refuse(at + error.at, error.message);
      throw error;
    }
  }

  #readDirective(line: string): void {
    const [word, name = ''] = /^@([^\s]*)/.exec(line) ?? [];
    if (!(directives as readonly string[]).includes(name)) {
      this.#refuse(
        0,
        name === ''
          ? `@ must be followed by one of: ${directives.join(', ')}`
          : `unknown directive @${name}. ${hintFor(name, directives)}`,
      );
    }
    const from = word?.length ?? 1;
    const words = [...line.slice(from).matchAll(/\S+/g)].map(({ 0: text, index }) => ({ text, at: from + index }));
    const rest = line.slice(from).trim();
    this.#readKnown(name as Directive, words, rest, from);
  }

  #readKnown(name: Directive, words: readonly Word[], rest: string, end: number): void {
    const line = this.#line;
    switch (name) {
      case 'address':
        this.#once(this.#address, name);
        this.#address = this.#readArgument(words[0], end, 'an address such as 127.0.0.1:7878', () =>
          String(parseAddress(rest)),
        );
        return;
      case 'framing':
        this.#framing = this.#readWire(name, this.#framing, words[0], end, 'a framing such as lines', () =>
          readFraming(rest, dirname(this.#file)),
        );
        return;
      case 'reply-framing':
        this.#replyFraming = this.#readWire(name, this.#replyFraming, words[0], end, 'a framing such as lines', () =>
          readFraming(rest, dirname(this.#file)),
        );
        return;
      case 'protocol':
        this.#protocol = this.#readWire(name, this.#protocol, words[0], end, 'a protocol such as smtp', () =>
          readProtocol(rest, dirname(this.#file)),
        );
        return;
      case 'timeout':
      case 'wait': {
        const ms = this.#readDuration(words[0], end);
        this.#expectNoMore(words[1]);
        return this.#add({ kind: name, ms, line });
      }
      case 'ending': {
        const [ending] = words;
        const read = ending && parseEnding(ending.text);
        if (!read)
          return this.#refuse(ending?.at ?? end, '@ending takes lf, crlf, none, default, or bytes such as \\0');
        this.#expectNoMore(words[1]);
        return this.#add({ kind: name, ending: read.ending, line });
      }
      case 'silence': {
        const ms = this.#readDuration(words[0], end);
        const client = this.#readClient(words[1]);
        this.#expectNoMore(words[2]);
        return this.#add({ kind: name, ms, client, line });
      }
      case 'connect':
        return this.#readConnect(words);
      default: {
        const client = this.#readClient(words[0]);
        this.#expectNoMore(words[1]);
        return this.#add({ kind: name, client, line });
      }
    }
  }

  #readConnect(words: readonly Word[]): void {
    const isOption = ({ text }: Word) => text === 'insecure' || text.includes('=');
    const named = words[0] && !isOption(words[0]) ? words[0] : undefined;
    const client = this.#readClient(named);
    if (this.#connected.has(client)) {
      this.#refuse(named?.at ?? 0, `${client || 'the client'} is already connected: its first line connects it`);
    }
    const tls: Record<string, string | boolean> = {};
    for (const word of named ? words.slice(1) : words) {
      const [, key = '', value = ''] = /^([^=]*)=(.*)$/.exec(word.text) ?? [];
      if (word.text === 'insecure') tls.insecure = true;
      else if ((key === 'cacert' || key === 'servername') && value !== '') tls[key] = value;
      else this.#refuse(word.at, '@connect takes a client name, and cacert=FILE, servername=NAME or insecure');
    }
    this.#add({ kind: 'connect', client, tls: tls as ConnectTls, line: this.#line });
  }

  #readClient(word: Word | undefined): string {
    const name = word?.text ?? '';
    if (word && !clientName.test(name)) {
      this.#refuse(
        word.at,
        `"${name}" is not a client name; it takes letters, digits, _ and -, and starts with a letter`,
      );
    }
    this.#addClient(name, word?.at ?? 0);
    return name;
  }

  /** A single client needs no name. With several, every line needs one. */
  #addClient(name: string, at: number): void {
    if (this.#clients.includes(name)) return;
    const [first] = this.#clients;
    if (first !== undefined && (first === '') !== (name === '')) {
      this.#refuse(
        at,
        name === ''
          ? `with several clients every line needs a name, such as ${first}>`
          : `earlier lines have no name, but this one belongs to ${name}: name all clients, or none`,
      );
    }
    this.#clients.push(name);
  }

  /** Reads framings, unless others are given instead. */
  #readWire<Value>(
    name: Directive,
    known: Value | undefined,
    word: Word | undefined,
    end: number,
    expected: string,
    read: () => Value,
  ): Value | undefined {
    this.#once(known, name);
    if (this.#steps.some(({ kind }) => kind === 'message'))
      this.#refuse(0, `@${name} must come before the first message`);
    if (name === 'protocol' ? (this.#framing ?? this.#replyFraming) : this.#protocol)
      this.#refuse(0, '@protocol says both framings; leave out @framing and @reply-framing');
    return this.#given && word ? undefined : this.#readArgument(word, end, expected, read);
  }

  #readDuration(word: Word | undefined, end: number): number {
    const ms = word && parseQuantity('duration', word.text);
    if (ms === undefined || ms > longestDuration)
      return this.#refuse(word?.at ?? end, 'expected a time such as 500ms, 10s or 5m');
    return ms;
  }

  #readArgument<Value>(word: Word | undefined, end: number, expected: string, read: () => Value): Value {
    if (!word) return this.#refuse(end, `expected ${expected}`);
    try {
      return read();
    } catch (error) {
      if (error instanceof YodelError) return this.#refuse(word.at, error.message);
      throw error;
    }
  }

  #once(value: unknown, name: string): void {
    if (value !== undefined) this.#refuse(0, `@${name} is given twice`);
  }

  #expectNoMore(word: Word | undefined): void {
    if (word) this.#refuse(word.at, `unexpected "${word.text}"`);
  }

  #add(step: Step): void {
    if (step.kind === 'close' || step.kind === 'closed' || step.kind === 'reset') this.#connected.delete(step.client);
    else if ('client' in step) this.#connected.add(step.client);
    this.#steps.push(step);
  }

  #refuse(at: number, problem: string): never {
    throw new TranscriptError(this.#file, this.#line, at + 1, problem, this.#lines[this.#line - 1] ?? '');
  }
}
