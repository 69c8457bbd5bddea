// Tests a framing with vitest.
import { expect, test } from 'vitest';
import { checkFraming, decodeAll } from 'yodel/testing';
import escaping from './escaping.ts';

test('stuffed frames keep what every framing promises', () => {
  checkFraming(escaping);
});

test('an escape before the end of a frame is an error', () => {
  const { faults } = decodeAll(escaping, Uint8Array.of(0x61, 0x7d, 0x7e));
  expect(faults[0]?.message).toContain('at byte 3: the frame ends after an escape');
});
