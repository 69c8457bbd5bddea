import { refuseSteps, refuseUnplayable } from '../transcript/playable.ts';
import type { Ending, Transcript } from '../transcript/transcript.ts';
import type { ReplayPlan, ReplayStep } from './step.ts';

/** Plans a replay of the clients of a transcript. @throws TranscriptError when they cannot be played */
export function planOfTranscript(transcript: Transcript): ReplayPlan {
  refuseUnplayable(transcript, '>');
  refuseSteps(transcript, ['any', 'unordered', 'repeat', 'set', 'ignore', 'expect-ending', 'starttls']);
  const messages = transcript.steps.filter((step) => step.kind === 'message');
  return {
    sessions: transcript.clients.length,
    sends: messages.filter(({ side }) => side === '>').length,
    expects: messages.filter(({ side }) => side === '<').length,
    steps: async function* () {
      yield* stepsOf(transcript);
    },
  };
}

function* stepsOf({ steps, protocol }: Transcript): Generator<ReplayStep> {
  const connected = new Set<string>();
  const ended = new Set<string>();
  let at = 0;
  let ending: Ending;
  let timeoutMs: number | undefined;
  for (const step of steps) {
    if (step.kind === 'wait') at += step.ms;
    if (step.kind === 'timeout') timeoutMs = step.ms;
    if (step.kind === 'ending') ending = step.ending;
    if (!('client' in step)) continue;
    const common = { session: step.client, at, place: `line ${step.line}` };
    if (!connected.has(step.client)) yield { ...common, kind: 'connect', protocol };
    connected.add(step.client);
    if (step.kind === 'close' || step.kind === 'reset') {
      if (step.kind === 'reset') ended.add(step.client);
      yield { ...common, kind: step.kind };
    } else if (step.kind === 'silence') yield { ...common, kind: 'silence', ms: step.ms };
    else if (step.kind === 'closed') yield { ...common, kind: 'closed', timeoutMs };
    else if (step.kind === 'message' && step.side === '<') {
      yield { ...common, kind: 'expect', message: step, timeoutMs };
    } else if (step.kind === 'message') {
      yield { ...common, kind: 'send', message: step, ending };
    }
  }
  for (const client of connected) {
    if (!ended.has(client)) yield { kind: 'end', session: client, at, place: 'the end' };
  }
}
