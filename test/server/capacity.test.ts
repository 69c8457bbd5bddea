import { describe, expect, it } from 'vitest';
import { capacityFor } from '../../src/server/capacity.ts';

describe('the capacity of a server', () => {
  it('is what was asked for, where the limit of open files is not known or far away', () => {
    expect(capacityFor(10_000, undefined)).toEqual({ connections: 10_000, refusals: 64 });
    expect(capacityFor(10_000, 20_000)).toEqual({ connections: 10_000, refusals: 64 });
  });

  it('leaves room below the limit for the process and for clients that are refused', () => {
    expect(capacityFor(10_000, 1024)).toEqual({ connections: 928, refusals: 64 });
    expect(capacityFor(10_000, 64)).toEqual({ connections: 24, refusals: 8 });
  });

  it('is at least one connection', () => {
    expect(capacityFor(10_000, 8)).toEqual({ connections: 1, refusals: 1 });
  });
});
