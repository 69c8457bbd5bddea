/** The reference of framings whose frames follow one another, each of which says where it ends. */
import { Account, type Reference } from '../reference.ts';

/** What a frame at the beginning of some bytes is. */
export type Parsed =
  /** The payload has `size` bytes from `start` on, and the frame `end` bytes, all of which need not have arrived. */
  | { readonly start: number; readonly size: number; readonly end: number; readonly payload?: Uint8Array }
  /** The first wrong byte, from 1, which need not be wrong for a message that is too long. */
  | { readonly errorAt: number }
  /** Bytes that belong to no frame. */
  | { readonly skip: number }
  /** Too little has arrived. */
  | undefined;

/** @param parse a frame, given everything that has arrived since its beginning, and the longest payload */
export function readFrameByFrame(name: string, parse: (rest: Buffer, limit: number) => Parsed): Reference {
  return (input, options) => {
    const account = new Account(options);
    const { maxMessageLength: limit } = options;
    for (let rest = input; rest.length > 0 && !account.closed; ) {
      const number = account.number + 1;
      const frame = parse(rest, limit);
      if (frame && 'errorAt' in frame) {
        account.fault(
          `YODEL_INVALID_FRAME: message ${number} is not a valid frame of the framing "${name}": at byte ${frame.errorAt}`,
        );
        break;
      }
      if (frame && 'skip' in frame) {
        rest = rest.subarray(frame.skip);
        continue;
      }
      const isWhole = frame !== undefined && frame.end <= rest.length;
      if (frame && frame.size > limit) {
        account.tooLong();
        const inside = `fault: YODEL_UNFINISHED_FRAME: input ended inside a discarded message, in message ${number}`;
        if (!account.closed && !isWhole) return [...account.end(), inside];
      } else if (frame && isWhole) {
        account.message(frame.payload ?? rest.subarray(frame.start, frame.start + frame.size));
      } else {
        const unfinished = `YODEL_UNFINISHED_FRAME: input ended after ${rest.length} ${rest.length === 1 ? 'byte' : 'bytes'} of a frame, in message ${number}`;
        return [...account.end(), `fault: ${unfinished}`];
      }
      rest = rest.subarray(frame.end);
    }
    return account.end();
  };
}
