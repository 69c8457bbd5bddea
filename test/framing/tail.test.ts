import { expect, test } from 'vitest';
import { recycle, Tail } from '../../src/framing/tail.ts';

test('the memory of an unfinished message does not depend on what was received before', () => {
  const memoryOf = (size: number) => {
    const tail = new Tail(1_000_000);
    for (let at = 0; at < size; at += 500) tail.append(Buffer.alloc(500));
    return tail.memory;
  };
  const before = memoryOf(15_000);
  for (let count = 0; count < 4; count++) recycle(Buffer.allocUnsafeSlow(65_536));
  expect(memoryOf(15_000)).toBe(before);
});
