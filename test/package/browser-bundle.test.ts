/** What a page loads: yodel/browser as it is in the package, and as a bundler leaves it. */

import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';
import { clientOptions } from '../../src/client-options.ts';
import { errorCodes } from '../../src/errors.ts';
import { root } from './packed.ts';

const kilobyte = 1024;

/** The code that a bundler makes of a page's program. */
async function bundled(program: string): Promise<string> {
  const bundle = await rolldown({
    input: 'page',
    platform: 'browser',
    // The package itself, by its `exports`.
    cwd: root,
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? `${root}/page.js` : null),
        load: (id) => (id === `${root}/page.js` ? program : null),
      },
    ],
    onLog(_level, { message }) {
      throw new Error(message);
    },
  });
  const { output } = await bundle.generate({ minify: true, comments: false });
  expect(output).toHaveLength(1);
  const [{ code, imports, dynamicImports }] = output;
  expect([...imports, ...dynamicImports]).toEqual([]);
  return code;
}

function compressed(code: string): number {
  return gzipSync(code, { level: 9 }).length;
}

const whole = `import { connect, json } from 'yodel/browser'; globalThis.page = { connect, json };`;
const plain = `import { connect } from 'yodel/browser'; globalThis.page = { connect };`;

test('the client for pages has nothing of Node, and less than 15 KB, compressed', async () => {
  const code = await bundled(whole);
  process.stdout.write(`yodel/browser: ${compressed(code)} bytes compressed, ${code.length} without\n`);
  expect(compressed(code)).toBeLessThan(15 * kilobyte);
  expect(code).not.toMatch(/\bBuffer\b|\bprocess\.|\brequire\(|node:/);
  for (const [, name = ''] of code.matchAll(/\bfrom\s*["']([^"']+)["']/g)) expect(isBuiltin(name), name).toBe(false);
});

test('texts that only the documents need are not in it', async () => {
  const code = await bundled(whole);
  const texts = [
    ...Object.values(errorCodes),
    ...Object.values(clientOptions).flatMap(({ summary, reason }) => [summary, reason]),
  ];
  expect(texts.filter((text) => code.includes(text.slice(0, 40)))).toEqual([]);
});

test('a bundler leaves out what a page does not use', async () => {
  const [all, part] = [await bundled(whole), await bundled(plain)];
  process.stdout.write(`without json: ${compressed(part)} bytes compressed\n`);
  expect(compressed(part)).toBeLessThan(compressed(all) - kilobyte);
  expect(compressed(await bundled(`import 'yodel/browser';`))).toBeLessThan(100);
});

test('the file of the package is as small, for pages that load it without a bundler', () => {
  const file = readFileSync(`${root}/dist/browser/library.js`, 'utf8');
  expect(compressed(file)).toBeLessThan(15 * kilobyte);
  expect(file).not.toMatch(/^import\b|\bfrom\s*["']/m);
});
