/** Checks that one side of a transcript can be played, before anything is sent. */
import { YodelError } from '../errors.ts';
import { Message } from '../framing/message.ts';
import { frameOf, framingOf } from './frames.ts';
import { namesInMessage, partsOf } from './message-line.ts';
import { type MessageStep, type Side, type Transcript, TranscriptError } from './transcript.ts';

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
  for (const step of transcript.steps) {
    if (step.kind !== 'message') continue;
    if (step.side !== played) for (const name of namesInMessage(step)) known.add(name);
    else {
      const problem = problemOf(transcript, step, known);
      if (problem === undefined) continue;
      const source = transcript.lines[step.line - 1] ?? '';
      throw new TranscriptError(transcript.file, step.line, source.search(/[<>]/) + 3, problem, source);
    }
  }
}

function problemOf(transcript: Transcript, step: MessageStep, known: ReadonlySet<string>): string | undefined {
  const { content, side } = step;
  if (content.kind === 'pattern') return texts[side].pattern;
  const unknown = namesInMessage(step).find((name) => !known.has(name));
  return unknown === undefined ? unencodable(transcript, step) : texts[side].unknown(unknown);
}

/** The reason why a message cannot be encoded; undefined if it can, or if names in it have no values yet. */
function unencodable({ protocol }: Transcript, step: MessageStep): string | undefined {
  const parts = partsOf(step, new Map());
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
