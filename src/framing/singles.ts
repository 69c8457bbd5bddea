/** Batches of one message, for handlers that treat each message of a batch on its own. */
import { Batch, type Message } from './message.ts';
import { ownCopy } from './slices.ts';

/**
 * @internal The messages of a batch, which may be kept.
 *
 * @param isTaken whether they are taken out of it: a copy whose memory they share. If not, each has memory of its own
 */
export function* keptMessages(batch: Batch, isTaken: boolean): Generator<Message, void, undefined> {
  if (isTaken) for (let next = batch.shift(); next; next = batch.shift()) yield next;
  else for (const message of batch) yield message.copy();
}

/**
 * @internal The same, each as a batch. The bytes before the first one belong to it, or to an empty batch.
 */
export function* singles(batch: Batch, isTaken: boolean): Generator<Batch, void, undefined> {
  let before = batch.before && (isTaken ? batch.before : ownCopy(batch.before));
  if (batch.count === 0 && before) {
    const empty = batch.copied();
    empty.before = before;
    yield empty;
  }
  for (const message of keptMessages(batch, isTaken)) {
    const single = reframed(message, message.frame as Buffer);
    single.before = before;
    before = undefined;
    yield single;
  }
}

/** @internal A batch of one message in another frame of the same framing, which must be one. Its bytes must not change. */
export function reframed({ reader }: Message, frame: Buffer): Batch {
  const batch = new Batch(reader, undefined, frame, 1);
  batch.isBorrowed = false;
  return batch;
}
