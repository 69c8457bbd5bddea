/** ARCHITECTURE.md names files and functions that exist, and the import rules that the linter applies. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');

/** The code of a file, without its comments: a name in a comment is no function. */
function codeOf(path: string): string {
  return readFileSync(join(root, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
}

/** Whether the code defines a function, method, class, type or constant of this name. */
function defines(code: string, name: string): boolean {
  const word = name.replace(/^#/, '');
  const declared = new RegExp(`\\b(function\\*?|class|interface|type|const|get|async) #?${word}\\b`);
  const member = new RegExp(`^ {2,4}(static |readonly )?#?${word}(\\(|[?]?:| =)`, 'm');
  return declared.test(code) || member.test(code);
}

test('every file and function that the page names exists', () => {
  const mentioned = page.matchAll(/`((?:src|test|scripts|bench|examples|docs)\/[\w./-]+)(?::([#\w]+))?`/g);
  // NAME stands for what a reader adds.
  const named = [...mentioned].filter(([, path = '']) => !path.includes('NAME'));
  expect(named.length).toBeGreaterThan(30);
  const missing = named.filter(
    ([, path = '', name]) => !existsSync(join(root, path)) || (name !== undefined && !defines(codeOf(path), name)),
  );
  expect(missing.map(([text]) => text)).toEqual([]);
});

interface Rule {
  readonly imports: readonly string[];
  readonly runtime: readonly string[];
}

/** What each module may import, as the page has it. */
function rulesOfPage(): Record<string, Rule> {
  const rows = page.matchAll(/^\| `(\w+)\/` \| [^|]+ \|([^|]*)\|([^|]*)\|$/gm);
  const wordsIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word).sort();
  return Object.fromEntries(
    [...rows].map(([, name = '', imports = '', runtime = '']) => [
      name,
      { imports: wordsIn(imports), runtime: wordsIn(runtime) },
    ]),
  );
}

/** What each module may import, as the linter has it. */
function rulesOfLinter(): Record<string, Rule> {
  const { overrides } = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8')) as {
    overrides: { includes: string[]; linter: { rules: { style?: { noRestrictedImports?: RestrictedImports } } } }[];
  };
  const rules: Record<string, Rule> = {};
  for (const { includes, linter } of overrides) {
    const [, name] = /^src\/(\w+)\/\*\*$/.exec(includes[0] ?? '') ?? [];
    const restricted = linter.rules.style?.noRestrictedImports;
    if (name && restricted) rules[name] = ruleOf(restricted.options.patterns.flatMap(({ group }) => group));
  }
  return rules;
}

interface RestrictedImports {
  readonly options: { readonly patterns: { readonly group: string[] }[] };
}

function ruleOf(group: readonly string[]): Rule {
  const imports = group.filter((one) => one.startsWith('!**/')).map((one) => one.slice(4).replace(/\*\*$/, ''));
  const exceptions = group.filter((one) => one.startsWith('!node:')).map((one) => one.slice(1));
  const forbidden = group.filter((one) => one.startsWith('node:'));
  // `**` forbids everything, packages included; what follows it makes exceptions.
  const runtime = group.includes('**') ? exceptions : ['node:*', ...forbidden];
  return { imports: imports.sort(), runtime: runtime.sort() };
}

test('the import rules of the page are those of the linter', () => {
  const { cli: _, ...ofPage } = rulesOfPage();
  expect(ofPage).toEqual(rulesOfLinter());
});

test('the page has every module, and every file beside index.ts', () => {
  const entries = readdirSync(join(root, 'src'), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect(Object.keys(rulesOfPage()).sort()).toEqual(folders.sort());
  for (const { name } of entries.filter((entry) => entry.isFile())) expect(page).toContain(name);
});
