/**
 * Expected messages of a framing without messages, `raw`: the lines of a group are one stream of bytes. Where the bytes were
 * split into chunks, or into lines of the file, has no meaning.
 */
import { Message } from '../../framing/message.ts';
import type { Aligned } from '../align.ts';
import { knownBytes } from '../content/evaluate.ts';
import { contentDifference } from '../content.ts';
import type { Absent, Arrival, Player } from '../player.ts';
import type { Content, NamePart, Part } from '../transcript.ts';
import type { Values } from '../values.ts';
import type { ExpectedLine } from './expected-line.ts';
import type { Patience } from './group.ts';

/** The lines of a group, and the bytes received so far. */
export class Stream {
  readonly #lines: readonly ExpectedLine[];
  readonly #values: Values;
  #bytes: Buffer;
  /** When the last bytes arrived. */
  #at = 0;

  /** @param early bytes that were received before, with an earlier group */
  constructor(lines: readonly ExpectedLine[], values: Values, early: Arrival | undefined) {
    this.#lines = lines;
    this.#values = values;
    this.#bytes = Buffer.from(early?.message.bytes ?? []);
    this.#at = early?.at ?? 0;
  }

  /** Receives until the lines are complete, as far as can be known. Returns why there is not more. */
  async receive(player: Player, { timeoutMs, settleMs, pace }: Patience): Promise<Absent | undefined> {
    const least = this.#lines.reduce((sum, line) => sum + leastLength(line, this.#values), 0);
    let deadline = performance.now() + timeoutMs;
    let wasQuiet = false;
    for (;;) {
      const found = this.#match();
      const isClosed = found && !endsOpen(this.#lines, this.#values);
      if (isClosed && settleMs === 0) return undefined;
      const left = deadline - performance.now();
      // Bytes that are not as expected, or an end that anything may precede: only silence tells that nothing follows.
      const mayBeAll = found !== undefined || this.#bytes.length >= least;
      const wait = isClosed ? settleMs : mayBeAll && !wasQuiet ? Math.min(left, pace.quietMs) : left;
      const arrived = await player.next(wait);
      if ('message' in arrived) {
        if (left <= 0 && !found) return { absent: 'timeout' };
        this.#bytes = Buffer.concat([this.#bytes, arrived.message.bytes]);
        this.#at = arrived.at;
        deadline = performance.now() + timeoutMs;
        wasQuiet = false;
        continue;
      }
      if (found) return undefined;
      if (arrived.absent !== 'timeout') return arrived;
      if (mayBeAll && !wasQuiet && this.#bytes.length > 0) return undefined;
      wasQuiet = true;
      if (deadline <= performance.now()) return arrived;
    }
  }

  get hasBytes(): boolean {
    return this.#bytes.length > 0;
  }

  #match(): Found | undefined {
    return matchLines(this.#lines, this.#bytes, this.#values.fork());
  }

  /**
   * Which lines have their bytes. If not all have, those at the beginning and the end that do are found, and the bytes between
   * them came instead of the lines between them.
   *
   * @param values get the values of names
   * @returns `rest`: what follows the last line
   */
  align(values: Values): { readonly steps: Aligned<ExpectedLine, Arrival>[]; readonly rest: Arrival | undefined } {
    const found = matchLines(this.#lines, this.#bytes, values);
    if (found) {
      const steps = this.#lines.map((item) =>
        found.left.has(item)
          ? ({ kind: 'absent', item } as const)
          : ({ kind: 'matched', item, message: this.#arrival(Buffer.alloc(0)) } as const),
      );
      return { steps, rest: found.rest.length > 0 ? this.#arrival(found.rest) : undefined };
    }
    return { steps: this.#differing(values), rest: undefined };
  }

  #differing(values: Values): Aligned<ExpectedLine, Arrival>[] {
    let [from, to] = [0, this.#lines.length];
    let bytes = this.#bytes;
    const matched = (item: ExpectedLine) =>
      ({ kind: 'matched', item, message: this.#arrival(Buffer.alloc(0)) }) as const;
    for (let line = this.#lines[from]; line && !endsOpen([line], values); line = this.#lines[++from]) {
      const found = matchLines([line], bytes, values);
      if (!found) break;
      bytes = found.rest;
    }
    for (; to > from; to--) {
      const length = lengthAtEnd(this.#lines[to - 1] as ExpectedLine, bytes, values);
      if (length === undefined) break;
      bytes = bytes.subarray(0, bytes.length - length);
    }
    const differ = this.#lines.slice(from, to);
    const middle: Aligned<ExpectedLine, Arrival>[] = differ.map((item) => ({ kind: 'missing', item }));
    const [first] = differ;
    const message = this.#arrival(bytes);
    if (bytes.length > 0)
      middle.splice(0, 1, first ? { kind: 'replaced', item: first, message } : { kind: 'unexpected', message });
    return [...this.#lines.slice(0, from).map(matched), ...middle, ...this.#lines.slice(to).map(matched)];
  }

  #arrival(bytes: Uint8Array): Arrival {
    return { message: Message.of(bytes), at: this.#at };
  }
}

interface Found {
  /** The bytes after the last line. */
  readonly rest: Buffer;
  /** Optional lines that did not come. */
  readonly left: ReadonlySet<ExpectedLine>;
}

/** More optional lines in one group are required. */
const maxOptional = 6;

/** Matches the beginning of the bytes. Optional lines are tried with and without their bytes. */
function matchLines(lines: readonly ExpectedLine[], bytes: Buffer, values: Values): Found | undefined {
  const optional = lines.filter(({ step }) => step.kind === 'message' && step.isOptional).slice(0, maxOptional);
  for (let choice = 0; choice < 2 ** optional.length; choice++) {
    const left = new Set(optional.filter((_, index) => (choice >> index) & 1));
    const rest = matchAll(
      lines.filter((line) => !left.has(line)),
      bytes,
      values,
    );
    if (rest) return { rest, left };
  }
  return undefined;
}

/** The bytes that a pattern, JSON or a wildcard is compared with are captured as a name that no file can have. */
const pieceName = (index: number) => ` ${index}`;
const restName = ' rest';

/** The bytes after the lines, if those before are as expected. Then names get their values. */
function matchAll(lines: readonly ExpectedLine[], bytes: Buffer, values: Values): Buffer | undefined {
  const parts: Part[] = [];
  const pieces: Content[][] = [];
  for (const { step } of lines) {
    if (step.kind === 'message' && step.content.kind === 'parts') parts.push(...step.content.parts);
    else {
      const last = parts.at(-1);
      // Next to each other they are compared with the same bytes: nothing says where the first one ends.
      if (!isPiece(last)) {
        parts.push({ name: pieceName(pieces.length) });
        pieces.push([]);
      }
      if (step.kind === 'message') pieces.at(-1)?.push(step.content);
    }
  }
  if (!isOpen(parts.at(-1), values)) parts.push({ name: restName });
  const found = values.fork();
  if (contentDifference({ kind: 'parts', parts }, bytes, found) !== undefined) return undefined;
  for (const [index, contents] of pieces.entries()) {
    const piece = found.get(pieceName(index)) ?? new Uint8Array();
    found.delete(pieceName(index));
    if (contents.some((content) => contentDifference(content, piece, found) !== undefined)) return undefined;
  }
  const rest = Buffer.from(found.get(restName) ?? []);
  found.delete(restName);
  values.adopt(found);
  return rest;
}

function isPiece(part: Part | undefined): boolean {
  return part !== undefined && 'name' in part && part.name.startsWith(' ');
}

/** Whether a part takes all bytes up to those of the next one. */
function isOpen(part: Part | undefined, values: Values): boolean {
  return part !== undefined && 'name' in part && part.width === undefined && !values.has(part.name);
}

/** Whether the last line does not say where it ends. */
function endsOpen(lines: readonly ExpectedLine[], values: Values): boolean {
  const step = lines.at(-1)?.step;
  if (!step) return false;
  return step.kind === 'any' || step.content.kind !== 'parts' || isOpen(step.content.parts.at(-1), values);
}

/** The bytes that a line certainly takes. */
function leastLength({ step }: ExpectedLine, values: Values): number {
  if (step.kind === 'any' || step.isOptional || step.content.kind !== 'parts') return 0;
  return step.content.parts.reduce(
    (sum, part) => sum + (known(part, values)?.length ?? (part as NamePart).width ?? 0),
    0,
  );
}

/** How many of the last bytes are those of a line, which must begin with bytes that are known. Then its names get their values. */
function lengthAtEnd({ step }: ExpectedLine, bytes: Buffer, values: Values): number | undefined {
  if (step.kind === 'any' || step.content.kind !== 'parts') return undefined;
  const [first] = step.content.parts;
  const lead = first && known(first, values);
  const from = lead ? bytes.lastIndexOf(lead) : -1;
  if (from === -1 || contentDifference(step.content, bytes.subarray(from), values) !== undefined) return undefined;
  return bytes.length - from;
}

function known(part: Part, values: Values): Uint8Array | undefined {
  try {
    return knownBytes(part, values);
  } catch {
    // A function of a value that is not known yet, or not one it takes: the comparison reports it.
    return undefined;
  }
}
