/** What the package contains, and what it does not. */
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readStamp } from '../../scripts/build-stamp.ts';
import { exportedModules } from '../../scripts/exported-modules.ts';
import { noticesFile, thirdPartyNotices } from '../../scripts/notices.ts';
import { repositoryName } from '../../scripts/repository.ts';
import { type Packed, pack, root } from './packed.ts';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

let packed: Packed;
let shipped: Set<string>;

beforeAll(async () => {
  packed = await pack();
  shipped = new Set(packed.files.map(({ path }) => path));
});

/** The files in dist/ with this ending, and their text. */
function built(ending: string): { path: string; text: string }[] {
  const paths = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' });
  const files = paths.filter((path) => path.endsWith(ending)).map((path) => `dist/${path}`);
  return files.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

test('the package is small', () => {
  process.stdout.write(`the package: ${packed.files.length} files, ${packed.unpackedSize} bytes unpacked\n`);
  expect(packed.unpackedSize).toBeLessThan(8_500_000);
  expect(packed.files.length).toBeLessThan(1600);
});

test('ships what package.json names, and nothing internal', () => {
  const named = [
    manifest.bin.yodel,
    ...manifest.man,
    ...exportedModules.flatMap((name) => [`dist/${name}.js`, `dist/${name}.d.ts`]),
    'LICENSE',
    'README.md',
  ];
  for (const path of named) expect(shipped).toContain(path.replace(/^\.\//, ''));
  for (const path of manifest.files.filter((path: string) => !path.startsWith('!')))
    expect([...shipped].some((file) => file === path || file.startsWith(`${path}/`))).toBe(true);
  expect([...shipped].filter((path) => /(^|\/)\.|\.tsbuildinfo$|\.test\.ts$/.test(path))).toEqual([]);
});

test('declarations are compiled for each exported module', () => {
  const { files } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'));
  expect(files).toEqual(exportedModules.map((name) => `src/${name}.ts`));
});

test('runs no script when it is installed, so that npm has nothing to warn of', () => {
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
    expect(manifest.scripts).not.toHaveProperty(name);
});

test('source maps refer to shipped sources and do not contain them', () => {
  const maps = built('.map');
  expect(maps.length).toBeGreaterThan(50);
  for (const { path, text } of maps) {
    const { sources, sourcesContent } = JSON.parse(text) as { sources: string[]; sourcesContent?: unknown };
    expect(sourcesContent).toBeUndefined();
    for (const source of sources) expect(shipped).toContain(join(dirname(path), source));
  }
});

test('a file in dist/ refers to its source map if it has one', () => {
  for (const { path, text } of built('.js')) {
    const [, map] = /\/\/# sourceMappingURL=(.+)/.exec(text) ?? [];
    expect(shipped.has(`${path}.map`)).toBe(map !== undefined);
  }
});

test('ships the declarations that its entries reach, without internal members', () => {
  const declarations = built('.d.ts');
  const named = declarations.flatMap(({ path, text }) =>
    [...text.matchAll(/(?:from|import)\s*\(?'(\.[^']+)'/g)].map(([, name = '']) => join(dirname(path), name)),
  );
  const reached = new Set([
    ...exportedModules.map((name) => `dist/${name}.d.ts`),
    ...named.map((path) => path.replace(/\.js$/, '.d.ts')),
  ]);
  expect(new Set(declarations.map(({ path }) => path))).toEqual(reached);
  for (const { text } of declarations) expect(text).not.toContain('@internal');
});

test('all packages that are used are bundled: there are no dependencies', () => {
  const packages = readStamp()?.imports.filter((name) => !isBuiltin(name));
  expect(packages).toEqual([]);
  expect(manifest.dependencies).toBeUndefined();
});

describe('THIRD-PARTY-NOTICES.txt', () => {
  test('is what `npm run notices` generates', () => {
    expect(readFileSync(noticesFile, 'utf8')).toBe(thirdPartyNotices());
  });

  test('lists every package whose code is in dist/', () => {
    const { packages = [] } = readStamp() ?? {};
    const vendored = readdirSync(join(root, 'dist/vendor')).map((file) => `node_modules/${file.replace('.js', '')}`);
    expect(packages).toEqual(expect.arrayContaining(vendored));
    // The bundler puts the path of each file above its code.
    const merged = built('.js').filter(({ text }) => /^\/\/ node_modules\//m.test(text));
    expect(merged.map(({ path }) => path)).toEqual([]);
  });
});

test('repository, bugs and homepage agree: `npm run repository -- OWNER/NAME` sets all three', () => {
  const page = `https://github.com/${repositoryName()}`;
  expect(manifest.bugs.url).toBe(`${page}/issues`);
  expect(manifest.homepage).toBe(`${page}#readme`);
});
