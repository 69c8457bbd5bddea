import { describe, expect, it } from 'vitest';
import { canBorrowReads, tryBorrowing } from '../../src/transport/node/borrowed-reads.ts';

describe.skipIf(process.versions.bun)('reading into a shared buffer', () => {
  it('works with the sockets of this Node', async () => {
    expect(await canBorrowReads()).toBe(true);
  });

  it('is not used when the internal names are not found', async () => {
    expect(await tryBorrowing(undefined)).toBe(false);
  });

  it('is not used when the internal names have no effect', async () => {
    expect(await tryBorrowing({ buffer: Symbol('kBuffer'), callback: Symbol('kBufferCb') })).toBe(false);
  });
});
