/** docs/applications.md has the number of lines of each version of an application. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;

interface Versions {
  readonly file: string;
  /** Lines of the version that was written for yodel 0.1.0, if there is one. */
  readonly before?: number;
  /** In `test/applications/plain`. */
  readonly plain?: string;
  /** Each with another package than node:net: the name of the package and the file. */
  readonly others: Readonly<Record<string, string>>;
}

const applications: Readonly<Record<string, Versions>> = {
  chat: { file: 'chat.ts', before: 99, plain: 'chat.ts', others: { ws: 'chat-ws.ts' } },
  'key-value store': { file: 'key-value.ts', before: 60, plain: 'key-value.ts', others: {} },
  telemetry: { file: 'telemetry.ts', plain: 'telemetry.ts', others: {} },
  game: { file: 'game.ts', others: {} },
};

/** The lines of a program that are neither blank nor comments. */
function countLines(path: string): number {
  const code = readFileSync(root + path, 'utf8').replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, '');
  return code.split('\n').filter((line) => !/^\s*(\/\/|$)/.test(line)).length;
}

test('the page has the number of lines of every version', () => {
  const rows = Object.entries(applications).map(([name, { file, before, plain, others }]) => {
    const plainLines = (of: string) => countLines(`test/applications/plain/${of}`);
    const cells = [
      `[${name}](../examples/applications/${file})`,
      countLines(`examples/applications/${file}`),
      before ?? '',
      plain === undefined ? '' : plainLines(plain),
      Object.entries(others)
        .map(([tool, of]) => `${plainLines(of)} (${tool})`)
        .join(', '),
    ];
    return `| ${cells.join(' | ')} |`.replaceAll(/(?<=\|) {2}(?=\|)/g, ' ');
  });
  const page = readFileSync(`${root}docs/applications.md`, 'utf8');
  expect([...page.matchAll(/^\| \[.*$/gm)].map(([row]) => row)).toEqual(rows);
});
