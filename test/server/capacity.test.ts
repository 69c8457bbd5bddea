import { describe, expect, it } from 'vitest';
import { capacityFor } from '../../src/server/capacity.ts';

describe('the capacity of a server', () => {
  it('is the configured number, if the limit of open files is unknown or high enough', () => {
    expect(capacityFor(10_000, undefined)).toEqual({ connections: 10_000, refusals: 64 });
    expect(capacityFor(10_000, 20_000)).toEqual({ connections: 10_000, refusals: 64 });
  });

  it('leaves descriptors for the process and for refused clients', () => {
    expect(capacityFor(10_000, 1024)).toEqual({ connections: 928, refusals: 64 });
    expect(capacityFor(10_000, 64)).toEqual({ connections: 24, refusals: 8 });
  });

  it('is at least one connection', () => {
    expect(capacityFor(10_000, 8)).toEqual({ connections: 1, refusals: 1 });
  });
});
