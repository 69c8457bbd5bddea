import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameProgress } from '../../src/transport/websocket/frame-progress.ts';
import { type Frame, frameBytes } from '../support/websocket-frames.ts';

const anyFrame: fc.Arbitrary<Frame> = fc
  .record({
    opcode: fc.constantFrom(0, 1, 2, 8, 9, 10),
    isFinal: fc.boolean(),
    length: fc.oneof(fc.nat(130), fc.constantFrom(125, 126, 127, 65_535, 65_536)),
  })
  .map((frame) => (frame.opcode >= 8 ? { opcode: frame.opcode, isFinal: true, length: frame.length % 126 } : frame));

/** The unfinished bytes after these frames, by definition. */
function unfinishedAfter(frames: readonly Frame[]): number {
  let unfinished = 0;
  for (const frame of frames) {
    if (frame.opcode >= 8) continue;
    unfinished = frame.isFinal ? 0 : unfinished + frameBytes(frame).length;
  }
  return unfinished;
}

describe('the received part of an incomplete message', () => {
  it('is the same however the bytes are split, and right after each frame', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.integer({ min: 1, max: 70_000 }), (frames, size) => {
        const whole = new FrameProgress();
        const cut = new FrameProgress();
        for (const [index, frame] of frames.entries()) {
          const bytes = frameBytes(frame);
          whole.take(bytes);
          for (let at = 0; at < bytes.length; at += size) cut.take(bytes.subarray(at, at + size));
          const expected = unfinishedAfter(frames.slice(0, index + 1));
          expect([whole.unfinished, cut.unfinished]).toEqual([expected, expected]);
        }
      }),
    );
  });

  it('counts from the first byte of its head to the last but one', () => {
    const bytes = frameBytes({ opcode: 1, isFinal: true, length: 300 });
    const progress = new FrameProgress();
    const seen = [...bytes].map((byte) => {
      progress.take(Buffer.of(byte));
      return progress.unfinished;
    });
    expect(seen).toEqual([...Array.from({ length: bytes.length - 1 }, (_, index) => index + 1), 0]);
  });

  it('is empty while a ping is incomplete', () => {
    const progress = new FrameProgress();
    progress.take(frameBytes({ opcode: 9, isFinal: true, length: 100 }).subarray(0, 50));
    expect(progress.unfinished).toBe(0);
  });
});
