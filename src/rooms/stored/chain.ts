/** Whether parts of a history follow each other. */
import type { Place, StoredBatch, StoredRange } from './store.ts';

/** How much of a history is read at a time, in bytes. */
export const pageSize = 65_536;

/** The place after a batch. */
export function endOf({ first, count, id, at }: StoredBatch): Place {
  return { number: first + count - 1, id, at };
}

/** The place before a batch. */
export function placeBefore({ first, previous }: StoredBatch): Place {
  return { number: first - 1, ...previous };
}

/** Whether a batch is the one right after a place. */
export function follows(place: Place, { first, previous }: StoredBatch): boolean {
  return first === place.number + 1 && previous.id === place.id;
}

/** Whether a place is in a batch. */
function isIn({ number, id }: Place, batch: StoredBatch): boolean {
  return batch.id === id && number >= batch.first && number < batch.first + batch.count;
}

/** What came after a place, as it was read from there. */
export interface Continuation {
  /** Whether nothing is missing between the place and the batches, nor among them. If something is, they begin after that. */
  readonly isIntact: boolean;
  /** Batches that follow each other. */
  readonly batches: readonly StoredBatch[];
  /** How many messages of the first one come before, or at, the place. */
  readonly seen: number;
  /** Whether the history ends here. */
  readonly isComplete: boolean;
}

/** Compares a place with what was read from it on. */
export function continueAt(place: Place, { batches, last }: StoredRange): Continuation {
  const [first] = batches;
  if (!first) return { isIntact: place.number === 0 && last === 0, batches, seen: 0, isComplete: true };
  const isInside = isIn(place, first);
  const isIntact = isInside || follows(place, first);
  const seen = isInside ? place.number + 1 - first.first : 0;
  const together = batchesInRow(batches);
  const isComplete = endOf(together.at(-1) as StoredBatch).number >= last;
  if (isInside && seen === first.count) return { isIntact, batches: together.slice(1), seen: 0, isComplete };
  return { isIntact, batches: together, seen, isComplete };
}

/**
 * Whether a place is not in the history that was read from there on, and was not removed from it either. An empty history says
 * nothing.
 */
export function isAnother(range: StoredRange, place: Place): boolean {
  const [first] = range.batches;
  if (!first) return range.last > 0;
  return first.first <= place.number + 1 && !continueAt(place, range).isIntact;
}

/** Those up to the first gap: some may have been removed while they were read. */
function batchesInRow(batches: readonly StoredBatch[]): readonly StoredBatch[] {
  const gap = batches.findIndex(
    (batch, index) => index > 0 && !follows(endOf(batches[index - 1] as StoredBatch), batch),
  );
  return gap < 0 ? batches : batches.slice(0, gap);
}

/** The place after these, which begin at another. */
export function endOfAll(batches: readonly StoredBatch[], start: Place): Place {
  const last = batches.at(-1);
  return last ? endOf(last) : start;
}

/** The last of these batches with at least this many messages, and how many of the first one are too many. */
export function newestOf(
  batches: readonly StoredBatch[],
  messages: number,
): { batches: readonly StoredBatch[]; seen: number } {
  let count = 0;
  for (let index = batches.length - 1; index >= 0; index--) {
    // What comes before a gap is not a part of this history.
    const next = batches[index + 1];
    const batch = batches[index] as StoredBatch;
    if (next && !follows(endOf(batch), next)) return { batches: batches.slice(index + 1), seen: 0 };
    count += batch.count;
    if (count >= messages) return { batches: batches.slice(index), seen: count - messages };
  }
  return { batches, seen: 0 };
}
