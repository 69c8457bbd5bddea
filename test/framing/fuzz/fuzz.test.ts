import { describe, expect, it } from 'vitest';
import { testSeed } from '../../support/fast-check.ts';
import { fuzz, fuzzed } from './fuzz.ts';

// The long form is `npm run fuzz -- --seconds 600`.
describe('every framing decodes as its model does, in any chunks', () => {
  it.each(fuzzed.map((subject) => [subject.name, subject] as const))('%s', (_name, subject) => {
    expect(fuzz(subject, 30, testSeed)).toBeUndefined();
  });
});
