import { describe, expect, it } from 'vitest';
import { serverOptions, sessionOptions } from '../src/options.ts';
import { nearestWord } from '../src/suggestion.ts';
import { fc } from './support/fast-check.ts';

describe('the nearest word', () => {
  it('is found for any single typo', () => {
    const words = Object.keys({ ...sessionOptions, ...serverOptions }).filter((name) => name.length > 5);
    fc.assert(
      fc.property(fc.constantFrom(...words), fc.nat(), fc.constantFrom('', 'x', 'xx'), (word, place, put) => {
        const at = place % word.length;
        expect(nearestWord(word.slice(0, at) + put + word.slice(at + 1), words)).toBe(word);
      }),
    );
  });

  it('is found for letters in the wrong order', () => {
    expect(nearestWord('smpt', ['smpp', 'smtp'])).toBe('smtp');
    expect(nearestWord('netstirng', ['lines', 'netstring'])).toBe('netstring');
  });

  it('is undefined if no word is similar', () => {
    expect(nearestWord('banana', ['maxMessages', 'rate'])).toBeUndefined();
    expect(nearestWord('banana', [])).toBeUndefined();
  });
});
