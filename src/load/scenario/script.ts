/** A transcript as a load test plays it: what is done once, and what is done over and over. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Message } from '../../framing/message.ts';
import { differenceOf } from '../../transcript/message-line.ts';
import { parseTranscript } from '../../transcript/parse.ts';
import type { Step, StepOf, Transcript } from '../../transcript/transcript.ts';
import { Values } from '../../transcript/values.ts';
import { lineOf, stepsIn, type WalkedStep, walked } from '../../transcript/walk.ts';
import type { LoadSettings } from '../plan.ts';
import { protocolOf } from '../plan.ts';
import type { ScriptRequest, ScriptText } from './text.ts';

/** A transcript, divided. */
export interface Script {
  readonly transcript: Transcript;
  /** Played once for each connection. */
  readonly before: readonly Step[];
  /** The marked block, `@repeat` without a count. Undefined: everything is played in each round, over a new connection. */
  readonly loop: StepOf<'repeat'> | undefined;
  /** Played once at the end of the run. */
  readonly after: readonly Step[];
  /** In the order of the file. */
  readonly requests: readonly ScriptRequest[];
}

/** Divides a transcript at its marked block: the first `@repeat` without a count that is in no other block. */
export function scriptOf(transcript: Transcript): Script {
  const { steps } = transcript;
  const at = steps.findIndex((step) => step.kind === 'repeat' && step.count === undefined);
  const loop = at === -1 ? undefined : (steps[at] as StepOf<'repeat'>);
  return {
    transcript,
    before: loop ? steps.slice(0, at) : [],
    loop,
    after: loop ? steps.slice(at + 1) : [],
    requests: requestsIn({ steps: loop ? loop.steps : steps }, transcript),
  };
}

function requestsIn(block: Pick<Transcript, 'steps'>, transcript: Transcript): ScriptRequest[] {
  const found: ScriptRequest[] = [];
  for (const step of stepsIn(block)) {
    if (step.kind !== 'message' || step.side !== '>') continue;
    found.push({ line: step.line, file: step.file, text: lineOf(transcript, step) });
  }
  return found;
}

/** The steps of a round. @param round from 1 */
export function* roundOf({ transcript, loop }: Script, round: number): Generator<WalkedStep> {
  if (loop) yield { kind: 'round', line: loop.line, file: loop.file, loop, round };
  yield* walked(loop ? loop.steps : transcript.steps);
}

/** Parses the transcript of a run. `{connection}` is the number of the connection. @throws TranscriptError */
export async function readScript(settings: LoadSettings, text: ScriptText): Promise<Script> {
  const modules = new Map<string, Readonly<Record<string, unknown>>>();
  for (const path of text.modules) modules.set(path, await import(pathToFileURL(path).href));
  return scriptOf(parseScript(settings, text, modules));
}

function parseScript(
  settings: LoadSettings,
  { file, lines, included, variables, hasWire }: ScriptText,
  modules: ReadonlyMap<string, Readonly<Record<string, unknown>>>,
): Transcript {
  return parseTranscript(lines.join('\n'), file, {
    protocol: hasWire ? protocolOf(settings) : undefined,
    variables: { connection: '0', ...variables },
    readFile: (path) => (included[path] ?? []).join('\n'),
    readModule: (path) => modules.get(resolve(path)) ?? {},
  });
}

/** Whether a message may be taken for one that a line expects. */
export function mayBeReply({ transcript }: Script, message: Message): boolean {
  const values = new Values(transcript);
  for (const step of stepsIn(transcript)) {
    if (step.kind !== 'message' || step.side !== '<') continue;
    if (differenceOf(step, message, values.fork()) === undefined) return true;
  }
  // Of a stream of bytes, a message is any part.
  return message.framing?.name === 'raw';
}
