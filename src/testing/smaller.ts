/** Finds the smallest case of a failure, by trying smaller and smaller ones. */
import { Message } from '../framing/message.ts';
import { asMessage, type Trial, type TriedMessage } from './trial.ts';

/** No more trials than this, which takes a second at most. */
const mostTrials = 2000;

/**
 * Returns the smallest trial found that still fails.
 *
 * @param keepsOrder whether messages depend on those before them, so that only the last ones can be left out
 */
export function smallest(trial: Trial, keepsOrder: boolean, fails: (trial: Trial) => boolean): Trial {
  let best = trial;
  let left = mostTrials;
  for (let found: Trial | undefined = trial; found; ) {
    found = undefined;
    for (const candidate of smallerThan(best, keepsOrder)) {
      if (left-- <= 0) return best;
      if (!fails(candidate)) continue;
      best = candidate;
      found = candidate;
      break;
    }
  }
  return best;
}

function* smallerThan(trial: Trial, keepsOrder: boolean): Generator<Trial> {
  const { messages, bytes, chunks } = trial;
  if (bytes) for (const shorter of shorterBytes(bytes)) yield { ...trial, bytes: shorter };
  else {
    if (messages.length > 1) yield { ...trial, messages: messages.slice(0, -1) };
    if (!keepsOrder) {
      for (const index of messages.keys()) {
        if (messages.length > 1) yield { ...trial, messages: messages.filter((_, at) => at !== index) };
      }
      for (const [index, message] of messages.entries()) {
        for (const shorter of shorterMessages(message)) yield { ...trial, messages: messages.with(index, shorter) };
      }
    }
  }
  yield* simplerChunks(trial, chunks);
}

function* simplerChunks(trial: Trial, chunks: readonly number[]): Generator<Trial> {
  const simple = [[Number.MAX_SAFE_INTEGER], [1]];
  const isSimple = chunks.length === 1 && simple.some(([size]) => size === chunks[0]);
  if (isSimple) return;
  for (const one of simple) yield { ...trial, chunks: one };
  if (chunks.length > 1) yield { ...trial, chunks: chunks.slice(0, Math.ceil(chunks.length / 2)) };
  if (chunks.length > 1) yield { ...trial, chunks: chunks.slice(0, -1) };
}

function* shorterBytes(bytes: Uint8Array): Generator<Uint8Array> {
  if (bytes.length === 0) return;
  yield bytes.subarray(0, bytes.length >> 1);
  yield bytes.subarray((bytes.length + 1) >> 1);
  yield bytes.subarray(0, -1);
  yield bytes.subarray(1);
}

function* shorterMessages(message: TriedMessage): Generator<TriedMessage> {
  const { bytes, header, kind } = asMessage(message);
  for (const shorter of shorterBytes(bytes)) yield Message.of(shorter, { header, kind });
  const plain = bytes.findIndex((byte) => byte !== 0x61);
  if (plain !== -1) yield Message.of(Uint8Array.from(bytes).fill(0x61, plain, plain + 1), { header, kind });
}
