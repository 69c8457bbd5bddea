import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorCodes } from '../src/errors.ts';

const sourceOf = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

describe('error codes', () => {
  const sources = readdirSync(new URL('../src', import.meta.url), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.c?ts$/.test(path))
    .map((path) => sourceOf(`src/${path}`));
  const comment = /\/\*\*[\s\S]*?\*\/|\/\/.*/g;
  const codesIn = (text: string) => text.match(/\bYODEL_[A-Z0-9_]+\b/g) ?? [];
  const isRegistry = (source: string) => source.includes('export const errorCodes');
  const code = sources
    .map((source) => (isRegistry(source) ? source.slice(source.indexOf('} as const;')) : source))
    .map((source) => source.replace(comment, ''))
    .join('\n');

  it.each(Object.keys(errorCodes))('%s is used', (name) => {
    expect(codesIn(code)).toContain(name);
  });

  it('in doc comments are all in the registry', () => {
    const throws = sources.flatMap((source) => source.match(comment) ?? []).filter((text) => text.includes('@throws'));
    const spoken = throws.flatMap((text) => codesIn(text.slice(text.indexOf('@throws'))));
    expect(spoken.length).toBeGreaterThan(20);
    expect(spoken.filter((name) => !(name in errorCodes))).toEqual([]);
  });

  it.each(Object.entries(errorCodes))('%s has a meaning in one sentence', (_, meaning) => {
    expect(meaning).toMatch(/^[A-Z].*\.$/);
  });
});
