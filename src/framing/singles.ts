/** Batches of one message, for handlers that treat each message of a batch on its own. */
import { Batch, type Message } from './message.ts';

/**
 * @internal Each message of a batch as a batch in memory of its own. The bytes before the first one belong to it, or to an
 * empty batch.
 */
export function* singles(batch: Batch): Generator<Batch, void, undefined> {
  let before = batch.before && Buffer.from(batch.before);
  if (batch.count === 0 && before) {
    const empty = batch.copied();
    empty.before = before;
    yield empty;
  }
  for (const message of batch) {
    const single = reframed(message, Buffer.from(message.frame));
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
