import { describe, expect, it } from 'vitest';
import { defineFraming, encode, type Framing, type FramingDefinition, length, Message } from '../../src/index.ts';
import { type CheckFramingOptions, checkFraming, decodeAll, FramingCheckError } from '../../src/testing/testing.ts';
import { changing, changingConversation, prefixed, stuffed, varied } from '../framing/own/framings.ts';
import { testSeed } from '../support/fast-check.ts';

/** The error of a definition with a mistake. */
function failureOf(definition: FramingDefinition, options?: CheckFramingOptions): FramingCheckError {
  try {
    checkFraming(defineFraming(definition), { seed: testSeed, ...options });
  } catch (error) {
    if (error instanceof FramingCheckError) return error;
    throw error;
  }
  throw new Error('the mistake was not found');
}

describe('checkFraming finds', () => {
  const cases: readonly (readonly [mistake: string, found: RegExp, definition: FramingDefinition])[] = [
    [
      'an offset from the beginning of the chunk',
      /depends on the chunks|do not arrive/,
      {
        ...prefixed,
        decode: (bytes, start) => (bytes.length < start + 4 ? 0 : 4 + bytes.readUInt32BE(start)),
      },
    ],
    [
      'a byte that is read before it arrives',
      /has not arrived yet/,
      {
        ...prefixed,
        decode: (bytes, start) => start + 4 + bytes.readUInt32BE(start),
      },
    ],
    [
      'an ending that is searched in one chunk only',
      /do not arrive as they were sent|depends on the chunks|is refused although|is not refused/,
      {
        ...stuffed,
        decode: (bytes, start) => (bytes.at(-1) === 0x7e ? bytes.indexOf(0x7e, start) + 1 : bytes.length + 1),
      },
    ],
    [
      'a frame that is not escaped',
      /do not arrive as they were sent/,
      {
        ...stuffed,
        encode: (payload) => Buffer.concat([payload, Uint8Array.of(0x7e)]),
      },
    ],
    [
      'a bound that is too small for escapes',
      /is refused although the limit allows as much|is not refused as too long/,
      {
        ...stuffed,
        maxFrameSize: (limit) => limit + 1,
      },
    ],
    ['a payload with a part of the header', /do not arrive as they were sent/, { ...prefixed, headerSize: 3 }],
    [
      'bytes that are dropped between frames',
      /do not arrive|not the bytes that were sent/,
      {
        ...prefixed,
        decode: (bytes, start) => (bytes.length < start + 4 ? 0 : start + 5 + bytes.readUInt32BE(start)),
      },
    ],
  ];
  it.each(cases)('%s', (_mistake, found, definition) => {
    expect(failureOf(definition).message).toMatch(found);
  });

  it('a header that is lost', () => {
    const { header: _, ...withoutHeader } = varied;
    const messages = [Message.of('x', { header: Uint8Array.of(5) })];
    expect(failureOf(withoutHeader as FramingDefinition, { messages }).message).toMatch(/expected: +.*with header 05/);
  });

  it('a rule that changes too late', () => {
    const late: FramingDefinition = { ...changing, next: () => undefined };
    expect(failureOf(late, { conversation: changingConversation }).message).toMatch(/do not arrive as they were sent/);
  });

  it('that nothing can be encoded', () => {
    const strict: FramingDefinition = {
      ...prefixed,
      encode: () => {
        throw new Error('no');
      },
    };
    expect(failureOf(strict).message).toBe(
      'the framing "prefixed" refuses all generated messages; give it some: checkFraming(framing, { messages: [...] })',
    );
    expect(failureOf(strict, { messages: ['a'] }).message).toBe(
      'the framing "prefixed" refuses the given message 61: the framing "prefixed" cannot send it: no',
    );
  });
});

describe('a failure of checkFraming', () => {
  const wrong: FramingDefinition = {
    ...prefixed,
    decode: (bytes, start) => (bytes.length < start + 4 ? 0 : 4 + bytes.readUInt32BE(start)),
  };

  it('shows the smallest case and its seed', () => {
    const { message, seed } = failureOf(wrong, { seed: 17 });
    expect(seed).toBe(17);
    expect(message.split('\n')).toEqual([
      'the framing "prefixed": messages do not arrive as they were sent',
      '  message:  (empty)',
      '  message:  (empty)',
      '  bytes:    00 00 00 00 00 00 00 00',
      '  chunks:   all in one',
      '  expected: (empty)',
      '  expected: (empty)',
      '  actual:   (empty)',
      expect.stringMatching(/^ {2}actual: {3}refused: message 2 is not a valid frame .*returned 4 for a frame at 4/),
      '  seed:     17',
    ]);
  });

  it('is repeated by its seed', () => {
    const { seed, message } = failureOf(wrong);
    expect(failureOf(wrong, { seed }).message).toBe(message);
  });
});

describe('checkFraming', () => {
  it('says how much it tried', () => {
    expect(checkFraming(length(), { runs: 20, seed: 3 })).toEqual({ runs: 20, seed: 3 });
  });

  it('generates messages with a function', () => {
    const sizes: number[] = [];
    const generate = (random: () => number) => {
      const text = 'ab'.repeat(1 + Math.floor(3 * random()));
      sizes.push(text.length);
      return text;
    };
    checkFraming(length({ bytes: 1, counts: 'self' }), { generate, runs: 20, seed: testSeed });
    expect(new Set(sizes)).toEqual(new Set([2, 4, 6]));
  });
});

describe('decodeAll', () => {
  it('returns messages, faults and what was pending', () => {
    const input = [encode(length({ bytes: 1 }), 'hi'), Buffer.from([3, 65])];
    const { messages, faults, pending } = decodeAll(length({ bytes: 1 }), input);
    expect(messages.map(({ text }) => text)).toEqual(['hi']);
    expect(faults.map(({ code }) => code)).toEqual(['YODEL_UNFINISHED_FRAME']);
    expect(pending).toBe(2);
  });
});

it('needs a framing, not only its definition', () => {
  const definition = prefixed as unknown as Framing;
  const message = 'this is no framing; a definition becomes one by defineFraming()';
  expect(() => checkFraming(definition)).toThrow(message);
  expect(() => decodeAll(definition, Uint8Array.of())).toThrow(message);
});
