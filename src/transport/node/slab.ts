/** Memory for borrowed bytes on their way out, because a stream may keep what it cannot write at once. */

/** Large enough for one whole read. */
const slabSize = 65_536;

let slab = Buffer.alloc(0);
let used = 0;

/** A copy that the stream may keep. */
export function copyToSlab(bytes: Uint8Array): Uint8Array {
  if (bytes.length > slab.length - used) {
    slab = Buffer.allocUnsafeSlow(slabSize);
    used = 0;
  }
  const start = used;
  used += bytes.length;
  slab.set(bytes, start);
  return slab.subarray(start, used);
}

/** Frees the latest copy: its bytes have been sent. */
export function freeLatest(copy: Uint8Array): void {
  used = copy.byteOffset;
}
