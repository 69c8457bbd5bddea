/** Checks that one side of a transcript can be played, before anything is sent. */
import { YodelError } from '../errors.ts';
import { Message } from '../framing/message.ts';
import { unknownIn } from './content.ts';
import { frameOf, framingOf } from './frames.ts';
import { namesInMessage, partsOf } from './message-line.ts';
import { type MessageStep, type Side, type Step, type Transcript, TranscriptError } from './transcript.ts';
import { Values } from './values.ts';
import { lineOf, stepsIn } from './walk.ts';

/** Error texts for each side. */
const texts: Readonly<Record<Side, { readonly pattern: string; readonly unknown: (name: string) => string }>> = {
  '>': {
    pattern: 'a client cannot send a pattern; text that starts and ends with / is written with escapes: >\\ \\/…',
    unknown: (name) =>
      `{${name}} has no value yet: no earlier line captures it; literal text is written with escapes: >\\ \\{${name}}`,
  },
  '<': {
    pattern: 'a server cannot send a pattern; write the message to send',
    unknown: (name) => `{${name}} has no value yet: no earlier line of a client captures it`,
  },
};

/**
 * Rejects a transcript in which the played side would have to send a pattern, an unknown name or an unencodable message.
 *
 * @throws TranscriptError
 */
export function refuseUnplayable(transcript: Transcript, played: Side): void {
  const known = new Set<string>();
  for (const step of stepsIn(transcript)) {
    if (step.kind === 'set') known.add(step.name);
    if (step.kind === 'repeat' && step.name !== undefined) known.add(step.name);
    if (step.kind !== 'message') continue;
    if (step.side !== played) for (const name of namesInMessage(step)) known.add(name);
    else {
      const problem = problemOf(transcript, step, known);
      if (problem === undefined) continue;
      refuseStep(transcript, step, problem);
    }
  }
}

/** @throws TranscriptError about a step */
function refuseStep(transcript: Transcript, step: Step, problem: string): never {
  const text = lineOf(transcript, step);
  const column = text.startsWith('@') ? 1 : text.search(/[<>]/) + 3;
  throw new TranscriptError(step.file ?? transcript.file, step.line, column, problem, text);
}

/**
 * Rejects steps that a player does not play yet.
 *
 * @throws TranscriptError
 */
export function refuseSteps(transcript: Transcript, kinds: readonly Step['kind'][]): void {
  for (const step of stepsIn(transcript)) {
    if (kinds.includes(step.kind)) refuseStep(transcript, step, `this cannot be played here (${step.kind})`);
    if (kinds.includes('starttls') && step.kind === 'connect' && step.address)
      refuseStep(transcript, step, 'this cannot be played here (a second connection)');
    if (kinds.includes('any') && step.kind === 'message' && step.isOptional)
      refuseStep(transcript, step, 'this cannot be played here (an optional message)');
  }
}

function problemOf(transcript: Transcript, step: MessageStep, known: ReadonlySet<string>): string | undefined {
  const { content, header, side } = step;
  if (content.kind === 'pattern' || header?.kind === 'pattern') return texts[side].pattern;
  const has = (name: string) => known.has(name);
  const [unknown] = [...(header ? unknownIn(header, has) : []), ...unknownIn(content, has)];
  return unknown === undefined ? unencodable(transcript, step) : texts[side].unknown(unknown);
}

/** The reason why a message cannot be encoded; undefined if it can, or if names in it have no values yet. */
function unencodable({ protocol }: Transcript, step: MessageStep): string | undefined {
  const parts = partsOf(step, new Values());
  if (!parts) return undefined;
  const framing = framingOf(protocol, step.side);
  // Then the frame depends on the conversation, which has not taken place.
  if (framing.createEncoder) return undefined;
  const { payload, header, kind } = parts;
  try {
    frameOf(framing, parts);
    if (header && !framing.encoder.shapeOf(Message.of(payload, { header, kind })))
      return `the framing "${framing.name}" has no header`;
    return undefined;
  } catch (error) {
    if (error instanceof YodelError) return error.message;
    throw error;
  }
}
