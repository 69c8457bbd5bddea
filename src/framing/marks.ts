/** How messages and batches are recognised, also those of another copy of yodel in the same process. */

export const messageMark = Symbol.for('yodel.message');
export const batchMark = Symbol.for('yodel.batch');

/** Whether the value is an object with this mark. */
export function hasMark(value: unknown, mark: symbol): boolean {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[mark] === true;
}
