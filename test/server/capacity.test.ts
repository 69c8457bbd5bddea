import { describe, expect, it } from 'vitest';
import { capacityFor } from '../../src/server/capacity.ts';

describe('the capacity of a server', () => {
  it('is the configured number, if the limit of open files is unknown or high enough', () => {
    expect(capacityFor(10_000, { limit: undefined, open: 20 })).toMatchObject({ connections: 10_000, refusals: 64 });
    expect(capacityFor(10_000, { limit: 20_000, open: 20 })).toMatchObject({ connections: 10_000, refusals: 64 });
  });

  it('leaves descriptors for the process and for refused clients', () => {
    expect(capacityFor(10_000, { limit: 1024, open: 20 })).toMatchObject({ connections: 928, refusals: 64 });
    expect(capacityFor(10_000, { limit: 64, open: 20 })).toMatchObject({ connections: 24, refusals: 8 });
  });

  it('is less, if the process has many open files', () => {
    expect(capacityFor(10_000, { limit: 1024, open: 500 })).toMatchObject({ connections: 452, refusals: 64 });
  });

  it('depends on what a session takes besides its connection', () => {
    const descriptors = { limit: 1024, open: 20 };
    expect(capacityFor(10_000, descriptors, 1)).toMatchObject({ connections: 464, refusals: 64 });
    expect(capacityFor(10_000, descriptors, 4)).toMatchObject({ connections: 185, refusals: 64 });
  });

  it('is at least one connection', () => {
    expect(capacityFor(10_000, { limit: 8, open: 20 }, 4)).toMatchObject({ connections: 1 });
  });

  it.each([0, 1, 4])('never needs more descriptors than there are, with %s for each session', (perSession) => {
    for (const limit of [64, 100, 1024, 65_536]) {
      for (const open of [10, 24, 33, 50]) {
        const { connections, refusals, refusedFrom } = capacityFor(100_000, { limit, open }, perSession);
        const needed = open + connections * (1 + perSession) + refusals;
        // The smallest process serves one connection, whatever it takes.
        if (connections > 1) expect(needed).toBeLessThanOrEqual(refusedFrom);
        expect(refusedFrom).toBeLessThan(limit);
      }
    }
  });
});
