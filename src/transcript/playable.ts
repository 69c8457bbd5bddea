/** Checks that one side of a transcript can be played, before anything is sent. */

import { YodelError } from '../errors.ts';
import { Message } from '../framing/message.ts';
import type { Protocol } from '../framing/protocol.ts';
import { kindOf } from '../option-shapes.ts';
import { adjacentNames, allNamesIn, namesWithDefaultIn, unknownIn, unresolvedIn } from './content.ts';
import { endingProblem } from './ending.ts';
import { frameOf, framingOf } from './frames.ts';
import { namesInMessage, partsOf } from './message-line.ts';
import { contentsOf } from './names.ts';
import {
  type Content,
  type MessageStep,
  type Side,
  type Step,
  type StepOf,
  type Transcript,
  TranscriptError,
} from './transcript.ts';
import { Values } from './values.ts';
import { lineOf, stepsIn } from './walk.ts';

/** Error texts for each side. */
const texts: Readonly<Record<Side, { readonly pattern: string; readonly unknown: (name: string) => string }>> = {
  '>': {
    pattern: 'a client cannot send a pattern; text that starts and ends with / is written with escapes: >\\ \\/…',
    unknown: (name) =>
      `{${name}} has no value yet: no earlier line captures it; give it one with @set or --var ${name}=…, or a default: {${name}=…}; literal text is written with escapes: >\\ \\{${name}}`,
  },
  '<': {
    pattern: 'a server cannot send a pattern; write the message to send',
    unknown: (name) =>
      `{${name}} has no value yet: no earlier line of a client captures it; give it one with @set or --var ${name}=…, or a default: {${name}=…}`,
  },
};

/**
 * Rejects what is no transcript, such as its text.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function checkTranscript(transcript: unknown, where: string): void {
  if (Array.isArray((transcript as Partial<Transcript> | null | undefined)?.steps)) return;
  const text = `${where} takes what transcript.parse(text) returns, not ${kindOf(transcript)}`;
  throw new YodelError('YODEL_INVALID_OPTION', text);
}

/**
 * Rejects a transcript in which the played side would have to send a pattern, an unknown name or an unencodable message, and
 * one whose expected messages cannot be compared.
 *
 * @throws TranscriptError
 */
export function refuseUnplayable(transcript: Transcript, played: Side): void {
  const known = new Known(transcript, played);
  for (const step of stepsIn(transcript)) {
    const problem = problemOf(transcript, step, played, known);
    if (problem) refuse(transcript, step, problem);
    known.note(step, played);
  }
}

/** What is wrong with a step, and the text in its line that it is about. */
interface Problem {
  readonly text: string;
  readonly about?: string;
}

/** The names that have values at a step, as far as that can be known before the play. */
class Known {
  readonly values: Values;
  readonly #names: Set<string>;
  readonly #protocol: Protocol;
  /** The framings of second connections, by client. */
  readonly #wires = new Map<string, Protocol>();

  constructor(transcript: Transcript, played: Side) {
    this.values = new Values(transcript);
    this.#protocol = transcript.protocol;
    this.#names = new Set(Object.keys(transcript.given));
    // A mock listens at the addresses of second connections from the beginning.
    if (played === '<') this.#add(namesOfAddresses(transcript));
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** The framings of a client's connection. */
  protocolOf(client: string): Protocol {
    return this.#wires.get(client) ?? this.#protocol;
  }

  /** Takes over the names that have values after a step. */
  note(step: Step, played: Side): void {
    if (step.kind === 'message' && step.side !== played) this.#add(namesInMessage(step));
    else for (const content of contentsOf(step)) this.#add(namesWithDefaultIn(content));
    if ((step.kind === 'set' || step.kind === 'repeat') && step.name !== undefined) this.#names.add(step.name);
    if (step.kind === 'connect' && step.wire) this.#wires.set(step.client, step.wire);
  }

  /** What has no value, as within braces. */
  unknown(content: Content | undefined): string[] {
    return content ? unknownIn(content, (name) => this.has(name), this.values) : [];
  }

  #add(names: readonly string[]): void {
    for (const name of names) this.#names.add(name);
  }
}

/** The names in addresses of second connections. */
function namesOfAddresses(transcript: Transcript): string[] {
  return [...stepsIn(transcript)].flatMap((step) =>
    step.kind === 'connect' && step.address ? allNamesIn(step.address) : [],
  );
}

function problemOf(transcript: Transcript, step: Step, played: Side, known: Known): Problem | undefined {
  switch (step.kind) {
    case 'message':
      return step.side === played ? problemOfSent(step, known) : problemOfExpected(step, known);
    case 'set':
      return unknownProblem(known.unknown(step.value), texts[played].unknown);
    case 'connect':
      return played === '>' ? unknownProblem(known.unknown(step.address), texts['>'].unknown) : undefined;
    case 'expect-ending':
      return problemOfEnding(transcript, step, played);
    default:
      return undefined;
  }
}

function unknownProblem(unknown: readonly string[], textOf: (name: string) => string): Problem | undefined {
  const [name] = unknown;
  if (name === undefined) return undefined;
  const [, variable] = /^env:(.*)$/.exec(name) ?? [];
  const text =
    variable === undefined
      ? textOf(name)
      : `the environment variable ${variable} is not set; a default is written {env:${variable}=…}`;
  return { text, about: `{${name}` };
}

function problemOfSent(step: MessageStep, known: Known): Problem | undefined {
  const contents = contentsOf(step);
  // The optional messages of a server are left out when they cannot be sent.
  if (step.isOptional && step.side === '<') return undefined;
  if (contents.some(({ kind }) => kind === 'pattern')) return { text: texts[step.side].pattern };
  const unknown = contents.flatMap((content) => known.unknown(content));
  const problem = unknownProblem(unknown, texts[step.side].unknown);
  if (problem) return problem;
  const text = unencodable(known.protocolOf(step.client), step, known.values);
  return text === undefined ? undefined : { text };
}

function problemOfExpected(step: MessageStep, known: Known): Problem | undefined {
  for (const content of contentsOf(step)) {
    const adjacent = adjacentNames(content, (name) => known.has(name));
    if (adjacent) {
      const [one, next] = adjacent;
      const text = `where {${one}} ends and {${next}} begins cannot be known; write the number of bytes, such as {${one}:2}, or text between them`;
      return { text, about: `{${one}` };
    }
  }
  const names = new Set(namesInMessage(step));
  const unresolved = contentsOf(step).flatMap((content) =>
    unresolvedIn(content, (name) => names.has(name) || known.has(name), known.values),
  );
  return unknownProblem(
    unresolved,
    (name) => `{${name}} has no value: neither this line nor an earlier one captures it`,
  );
}

function problemOfEnding(
  transcript: Transcript,
  { ending }: StepOf<'expect-ending'>,
  played: Side,
): Problem | undefined {
  const text = endingProblem(framingOf(transcript.protocol, played === '>' ? '<' : '>'), ending);
  return text === undefined ? undefined : { text };
}

/** The reason why a message cannot be encoded; undefined if it can, or if names in it have no values yet. */
function unencodable(protocol: Protocol, step: MessageStep, values: Values): string | undefined {
  const framing = framingOf(protocol, step.side);
  // Then the frame depends on the conversation, which has not taken place.
  if (framing.createEncoder) return undefined;
  try {
    const parts = partsOf(step, values.fork());
    if (!parts) return undefined;
    const { payload, header, kind } = parts;
    frameOf(framing, parts);
    if (header && !framing.encoder.shapeOf(Message.of(payload, { header, kind })))
      return `the framing "${framing.name}" has no header`;
    return undefined;
  } catch (error) {
    if (error instanceof YodelError) return error.message;
    throw error;
  }
}

/** @throws TranscriptError about a step */
function refuse(transcript: Transcript, step: Step, { text, about }: Problem): never {
  const line = lineOf(transcript, step);
  const found = about === undefined ? -1 : line.indexOf(about);
  const start = line.startsWith('@') ? 1 : line.search(/[<>]/) + 3;
  throw new TranscriptError(step.file ?? transcript.file, step.line, found === -1 ? start : found + 1, text, line);
}

/**
 * Rejects steps that a player does not play yet.
 *
 * @throws TranscriptError
 */
export function refuseSteps(transcript: Transcript, kinds: readonly Step['kind'][]): void {
  for (const step of stepsIn(transcript)) {
    const isSecond = kinds.includes('starttls') && step.kind === 'connect' && step.address !== undefined;
    const isOptional = kinds.includes('any') && step.kind === 'message' && step.isOptional;
    if (kinds.includes(step.kind) || isSecond || isOptional)
      refuse(transcript, step, { text: 'this line cannot be played here yet' });
  }
}
