import { describe, expect, it } from 'vitest';
import { Queue } from '../src/queue.ts';
import { fc } from './support/fast-check.ts';

describe('a queue', () => {
  it('returns what was pushed, in order', () => {
    const steps = fc.array(fc.oneof(fc.nat(3000), fc.constant('shift' as const), fc.constant('take all' as const)));
    fc.assert(
      fc.property(steps, (all) => {
        const queue = new Queue<number>();
        let model: number[] = [];
        let number = 0;
        for (const step of all) {
          if (step === 'take all') {
            expect(queue.takeAll()).toEqual(model);
            model = [];
          } else if (step === 'shift') {
            for (let each = 0; each < 1500; each++) expect(queue.shift()).toBe(model.shift());
          } else for (let each = 0; each < step; each++) model.push(++number) && queue.push(number);
          expect(queue.length).toBe(model.length);
          expect([...queue]).toEqual(model);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('is as fast with a million as with a few', () => {
    const queue = new Queue<number>();
    for (let number = 0; number < 1_000_000; number++) queue.push(number);
    let sum = 0;
    for (let number = queue.shift(); number !== undefined; number = queue.shift()) sum += number;
    expect(sum).toBe(499_999_500_000);
  });
});
