import { describe, expect, it } from 'vitest';
import { WriteQueue } from '../../src/transport/write-queue.ts';
import { fc } from '../support/fast-check.ts';

/** Which memory is kept, and how often. */
class Keeper {
  readonly memory = new Map<object, number>();

  kept(memory: object): void {
    this.memory.set(memory, (this.memory.get(memory) ?? 0) + 1);
  }

  freed(memory: object): void {
    const times = (this.memory.get(memory) ?? 0) - 1;
    if (times === 0) this.memory.delete(memory);
    else this.memory.set(memory, times);
  }

  get bytes(): number {
    return [...this.memory.keys()].reduce((sum, memory) => sum + (memory as ArrayBuffer).byteLength, 0);
  }
}

function queue() {
  const keeper = new Keeper();
  return { keeper, waiting: new WriteQueue({ keeper }) };
}

/** Bytes that repeat after 251. */
const pattern = Buffer.from(Array.from({ length: 700_000 }, (_, at) => at % 251));

const operation = fc.oneof(
  fc.record({ push: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 200_000 })) }),
  fc.record({ take: fc.integer({ min: 1, max: 300_000 }) }),
  fc.record({ accept: fc.integer({ min: 0, max: 300_000 }) }),
);

describe('bytes that wait to be written', () => {
  it('leave in order, whatever is taken or accepted at a time, and keep nothing afterwards', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const { keeper, waiting } = queue();
        let [pushed, taken] = [0, 0];
        const check = (bytes: Uint8Array) => {
          expect(pattern.compare(bytes, 0, bytes.length, taken % 251, (taken % 251) + bytes.length)).toBe(0);
          taken += bytes.length;
        };
        for (const { push, take, accept } of operations as { push?: number; take?: number; accept?: number }[]) {
          if (push !== undefined) waiting.push(pattern.subarray(pushed % 251, (pushed % 251) + push), false);
          pushed += push ?? 0;
          if (take !== undefined && waiting.length > 0) check(waiting.take(take));
          let left = accept ?? 0;
          if (accept !== undefined)
            waiting.writeTo((bytes) => {
              const accepted = Math.min(left, bytes.length);
              left -= accepted;
              check(bytes.subarray(0, accepted));
              return accepted;
            });
          expect(waiting.length).toBe(pushed - taken);
        }
        while (waiting.length > 0) check(waiting.take(65_536));
        waiting.written();
        expect(taken).toBe(pushed);
        expect(waiting.memory).toBe(0);
        expect(keeper.memory.size).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it('keep little more than themselves, even if each is a byte of a chunk', () => {
    const { keeper, waiting } = queue();
    for (let count = 0; count < 3000; count++) waiting.push(Buffer.allocUnsafeSlow(65_536).subarray(7, 8), false);
    expect(waiting.memory).toBeLessThan(3 * 3000);
    expect(keeper.memory.size).toBe(0);
  });

  it('are not copied if they are long, so that several connections keep the same memory', () => {
    const [one, other] = [queue(), queue()];
    const message = Buffer.allocUnsafeSlow(100_000);
    one.waiting.push(message, false);
    other.waiting.push(message, false);
    expect([...one.keeper.memory.keys()]).toEqual([...other.keeper.memory.keys()]);
    expect(one.keeper.bytes + one.waiting.memory).toBe(100_000);
  });

  it('are copied if they are borrowed, or a small part of what they would keep', () => {
    const { keeper, waiting } = queue();
    const message = Buffer.allocUnsafeSlow(100_000);
    waiting.push(message, true);
    waiting.push(message.subarray(0, 10_000), false);
    expect(keeper.memory.has(message.buffer)).toBe(false);
    expect(keeper.bytes).toBe(110_000);
  });

  it('that are being written are kept until that is done', () => {
    const { keeper, waiting } = queue();
    const bytes = Buffer.allocUnsafeSlow(65_536);
    waiting.writing(bytes.subarray(0, 1));
    expect(keeper.bytes).toBe(65_536);
    waiting.written();
    expect(keeper.bytes).toBe(0);
  });

  it('are discarded all at once', () => {
    const { keeper, waiting } = queue();
    waiting.push(Buffer.allocUnsafeSlow(100_000), false);
    waiting.push(Buffer.from('short'), false);
    waiting.take(10);
    waiting.clear();
    expect([waiting.length, waiting.memory, keeper.memory.size]).toEqual([0, 0, 0]);
  });
});
