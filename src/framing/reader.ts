/** Readers of frames whose payload lies between a header and a trailer of fixed sizes. */
import type { FrameReader } from './frames.ts';
import type { FramingId } from './message-parts.ts';

/** The parts of a {@link FrameReader} whose payload ends with the frame, except for `trailerSize` bytes. */
export function reader(
  framing: FramingId,
  headerSize: number,
  trailerSize: number,
  others: Partial<FrameReader> = {},
): FrameReader {
  return {
    framing,
    headerSize,
    payloadStart: (_bytes, start) => start + Math.max(0, headerSize),
    payloadEnd: (_bytes, _start, end) => end - trailerSize,
    terminatorSize: () => trailerSize,
    ...others,
  };
}
