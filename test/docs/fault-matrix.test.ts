/** docs/fault-matrix.md: each fault has a promise, tests that exist, and a figure. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(join(root, 'docs/fault-matrix.md'), 'utf8');

const rows = [...page.matchAll(/^\| (?!Fault|---)(.*) \|$/gm)].map(([, cells = '']) => {
  const [fault = '', promise = '', tests = '', figure = ''] = cells.split(' | ');
  return { fault, promise, tests, figure };
});

/** The files and names in a cell: `test/x.test.ts`: “name”, “name”<br>`test/y.test.ts`: “name”. */
function testsOf(cell: string): { file: string; names: string[] }[] {
  return cell.split('<br>').map((part) => {
    const [, file = '', names = ''] = /^`(test\/[\w/-]+\.test\.ts)`: (.+)$/.exec(part) ?? [];
    return { file, names: [...names.matchAll(/“([^”]+)”/g)].map(([, name = '']) => name) };
  });
}

test('has all 18 faults, each with a promise and a figure', () => {
  expect(rows).toHaveLength(18);
  for (const { fault, promise, figure } of rows) {
    expect(promise, fault).toMatch(/\.$/);
    expect(figure, fault).toMatch(/\d|^none$/);
    expect(figure, fault).not.toContain('FIGURE');
  }
});

test('names tests that exist', () => {
  const missing: string[] = [];
  for (const { fault, promise, tests } of rows) {
    if (tests === 'none') {
      expect(promise, fault).toMatch(/^Not built yet/);
      continue;
    }
    for (const { file, names } of testsOf(tests)) {
      expect(names.length, `${fault}: ${tests}`).toBeGreaterThan(0);
      const source = existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8') : '';
      missing.push(...names.filter((name) => !source.includes(name)).map((name) => `${file}: ${name}`));
    }
  }
  expect(missing).toEqual([]);
});

test('names commands that exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const named = [...page.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);
  expect(named).not.toEqual([]);
  for (const name of named) expect(Object.keys(scripts)).toContain(name);
});
