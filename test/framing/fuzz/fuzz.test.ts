import { describe, expect, it } from 'vitest';
import { fuzz, fuzzed } from './fuzz.ts';

// The long form is `npm run fuzz -- --seconds 600`.
describe('every framing decodes as its model does, in any chunks', () => {
  it.each(fuzzed.map((subject) => [subject.name, subject] as const))('%s', (_name, subject) => {
    const seed = Math.trunc(Math.random() * 2 ** 31);
    expect(fuzz(subject, 30, seed)).toBeUndefined();
  });
});
