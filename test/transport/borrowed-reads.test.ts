import { describe, expect, it } from 'vitest';
import { canBorrowReads, tryBorrowing } from '../../src/transport/node/borrowed-reads.ts';

describe.skipIf(process.versions.bun)('reading into a shared buffer', () => {
  it('works with the sockets of this Node', async () => {
    expect(await canBorrowReads()).toBe(true);
  });

  it('is given up when the inner names are not found', async () => {
    expect(await tryBorrowing(undefined)).toBe(false);
  });

  it('is given up when the inner names mean nothing', async () => {
    expect(await tryBorrowing({ buffer: Symbol('kBuffer'), callback: Symbol('kBufferCb') })).toBe(false);
  });
});
