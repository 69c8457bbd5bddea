import { describe, expect, it } from 'vitest';
import { readsCanBeLent, tryIt } from '../../src/transport/lent-reads.ts';

describe.skipIf(process.versions.bun)('reading into a shared buffer', () => {
  it('works with the sockets of this Node', async () => {
    expect(await readsCanBeLent()).toBe(true);
  });

  it('is given up when the inner names are not found', async () => {
    expect(await tryIt(undefined)).toBe(false);
  });

  it('is given up when the inner names mean nothing', async () => {
    expect(await tryIt({ buffer: Symbol('kBuffer'), callback: Symbol('kBufferCb') })).toBe(false);
  });
});
