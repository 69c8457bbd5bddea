import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { framingFile, wasmModuleFile, wasmModules } from '../../../scripts/wasm.ts';
import { fc } from '../../support/fast-check.ts';

/** The slow way. */
function endsIn(bytes: Buffer, byte: number): number[] {
  return Array.from(bytes, (one, index) => (one === byte ? index + 1 : 0)).filter((end) => end > 0);
}

/** Bytes that end with a line feed, with line feeds at the given density. */
const delimited = fc
  .record({
    size: fc.oneof(fc.nat(300), fc.constantFrom(4064, 8128, 65_535, 65_536, 65_537, 140_000)),
    every: fc.constantFrom(1, 3, 64, 1000, 50_000),
    shift: fc.nat(70),
  })
  .map(({ size, every, shift }) => {
    const bytes = Buffer.alloc(size + 1, 'a');
    for (let at = shift; at < size; at += every) bytes[at] = 10;
    bytes[size] = 10;
    return bytes;
  });

describe.each([
  { name: 'with WebAssembly', without: false },
  { name: 'where there is no WebAssembly', without: true },
])('delimiters of one byte, $name,', ({ without }) => {
  afterEach(() => void vi.unstubAllGlobals());

  async function freshScan() {
    vi.resetModules();
    if (without) vi.stubGlobal('WebAssembly', undefined);
    return await import('../../../src/framing/delimited/scan.ts');
  }

  it('are counted and found wherever they are', async () => {
    const { countByte, endsOfByte } = await freshScan();
    fc.assert(
      fc.property(delimited, fc.nat(100), (bytes, skip) => {
        const start = Math.min(skip, bytes.length - 1);
        const behind = bytes.subarray(start);
        const ends = endsIn(behind, 10);
        expect(countByte(bytes, 10, start, bytes.length)).toBe(ends.length);
        expect(endsOfByte(behind, 10, ends.length)).toEqual(ends);
      }),
    );
  });

  it('are counted up to the given place', async () => {
    const { countByte, hasByte } = await freshScan();
    const bytes = Buffer.from('a\nb\nc\n\r\n');
    expect(countByte(bytes, 10, 2, 6)).toBe(2);
    expect(hasByte(bytes, 13, 0, 6)).toBe(false);
    expect(hasByte(bytes, 13, 0, 7)).toBe(true);
  });
});

it.each(wasmModules)('$target is what $source compiles to', async (module) => {
  expect(readFileSync(framingFile(module.target), 'utf8')).toBe(await wasmModuleFile(module));
});
