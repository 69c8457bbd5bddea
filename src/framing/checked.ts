/** What every decoder checks in a batch: that messages are UTF-8, and whether its fault stops the decoder. */
import { isAscii } from 'node:buffer';
import type { YodelError } from '../errors.ts';
import type { DecoderOptions } from './framing.ts';
import type { Batch } from './message.ts';
import { invalidUtf8, isUtf8 } from './utf8.ts';

/**
 * Returns the batch if every message is UTF-8; else the messages before the first invalid one, with the fault.
 *
 * @param framesAreText whether frames are valid UTF-8 exactly when their messages are, as with a delimiter that is text:
 *   then one check of the whole slice is enough. Otherwise it is enough if all of the slice is ASCII
 * @param firstNumber the number of the batch's first message, counted from 1 per connection
 */
export function checkUtf8(batch: Batch, framesAreText: boolean, firstNumber: number): Batch {
  if (batch.passes(framesAreText ? isUtf8 : isAscii)) return batch;
  let valid = 0;
  for (const message of batch) {
    if (!isUtf8(message.bytes)) {
      const fault = invalidUtf8(firstNumber + valid, message.bytes);
      return batch.take(valid, fault);
    }
    valid++;
  }
  return batch;
}

/** Whether a decoder stops after this fault. It continues only after a message that it discards as too long. */
export function stopsDecoder(fault: YodelError, { onTooLong }: DecoderOptions): boolean {
  return onTooLong === 'close' || fault.code !== 'YODEL_MESSAGE_TOO_LONG';
}
