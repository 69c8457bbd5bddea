import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { hexDump } from '../../src/format/hex-dump.ts';
import { testWith } from '../support/tools.ts';

testWith('hexdump', 'apt-get install bsdextrautils')('a dump equals the output of hexdump -C', () => {
  for (const length of [1, 8, 15, 16, 17, 255]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 7 + length) % 256);
    const printed = execFileSync('hexdump', ['-Cv'], { input: bytes, encoding: 'utf8' });
    // Its last line contains the length.
    expect(hexDump(bytes)).toBe(printed.replace(/\n[0-9a-f]+\n$/, ''));
  }
});

test('a dump fits a narrow terminal', () => {
  const bytes = Buffer.from('hello, world 12345');
  for (const width of [20, 40, 60, 79, 80]) {
    const lines = hexDump(bytes, width).split('\n');
    if (width >= 40) for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
  }
  expect(hexDump(bytes, 40).split('\n')[1]).toBe('00000004  6f 2c 20 77  |o, w|');
});

test('no bytes give an empty dump', () => {
  expect(hexDump(new Uint8Array())).toBe('');
});
