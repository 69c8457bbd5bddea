import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pages } from '../../scripts/reference.ts';

for (const [path, text] of Object.entries(await pages())) {
  test(`${path} is what \`npm run docs\` generates`, () => {
    expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text);
  });
}
