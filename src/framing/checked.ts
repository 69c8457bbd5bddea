/** Cuts a batch short at the first message that is not UTF-8. */
import { isAscii } from 'node:buffer';
import type { Batch } from './message.ts';
import { invalidUtf8, isUtf8 } from './utf8.ts';

/**
 * The same batch when every message is UTF-8; else the messages before the first bad one, with the fault.
 *
 * @param framesAreText whether valid frames make valid messages and the other way round, so that one look at the whole
 *   slice is enough: true where the delimiter is text itself. Else it is enough when all of it is ASCII
 * @param firstNumber the number of the batch's first message, counted from 1 over the connection
 */
export function checkUtf8(batch: Batch, framesAreText: boolean, firstNumber: number): Batch {
  if (batch.passes(framesAreText ? isUtf8 : isAscii)) return batch;
  let good = 0;
  for (const message of batch) {
    if (!isUtf8(message.bytes)) {
      const fault = invalidUtf8(firstNumber + good, message.bytes);
      return batch.take(good, fault);
    }
    good++;
  }
  return batch;
}
