/** yodel's own framings keep what `checkFraming` asks of those of programs. */
import { describe, expect, it } from 'vitest';
import { framingKinds, parseFraming } from '../../src/framing/notation.ts';
import { Message } from '../../src/index.ts';
import { type CheckFramingOptions, checkFraming } from '../../src/testing/testing.ts';
import { testSeed } from '../support/fast-check.ts';

/** Every kind of framing but `raw`, whose messages depend on chunks. */
const framings: Readonly<Record<string, CheckFramingOptions>> = {
  lines: {},
  'delimiter:||': {},
  'delimiters:\\n,\\0': {},
  'between:\\x02,\\x03,escape=\\x1b': {},
  'length:2,little': {},
  'length:varint': {},
  'length:1,offset=1,after=2': { messages: [Message.of('x', { header: Uint8Array.of(1, 2, 3) })] },
  netstring: {},
  'octet-counted': {},
  headers: {},
  slip: {
    messages: ['x'],
    generate: (random) => String.fromCharCode(...Array.from({ length: 1 + 8 * random() }, () => 256 * random())),
  },
  cobs: {},
  resp: {
    messages: ['$2\r\nhi\r\n', '*2\r\n:1\r\n+OK\r\n'],
    generate: (random) => `:${Math.floor(1000 * random())}\r\n`,
  },
  'until(lines,/^\\.$/)': { messages: ['a\nb\n.', '.'], generate: (random) => `${'x\n'.repeat(4 * random())}.` },
};

describe('checkFraming', () => {
  it.each(Object.entries(framings))('finds nothing wrong with %s', (text, options) => {
    checkFraming(parseFraming(text), { runs: 100, seed: testSeed, ...options });
  });

  it('is tried on every kind of framing', () => {
    const tried = Object.keys(framings).map((text) => /^[a-z-]+/.exec(text)?.[0]);
    expect([...new Set(tried), 'raw'].sort()).toEqual(framingKinds.map(({ name }) => name).sort());
  });
});
