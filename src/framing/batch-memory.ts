/** The memory that a batch keeps while it waits. */
import type { Batch } from './message.ts';

/**
 * What a batch costs besides its bytes, measured: objects for the batch, its memory and its views. Counted, because a peer can
 * send very many chunks of a few bytes.
 */
const batchCost = 512;
/** What each message of a batch costs besides its bytes: where it ends, in an array that grows by half. */
const messageCost = 12;

/** Bytes that a batch keeps besides its chunk. */
export function memoryBesidesChunk(batch: Batch): number {
  return batchCost + batch.count * messageCost + batch.assembledLength;
}

/** Bytes that a copied batch keeps. */
export function memoryOf(batch: Batch): number {
  return batchCost + batch.count * messageCost + batch.byteLength + (batch.before?.length ?? 0);
}
