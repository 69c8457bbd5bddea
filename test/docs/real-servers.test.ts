/** docs/real-servers.md: its table is about what its sections show, and each section is run. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { jobs, jobsOf, sectionOf } from '../interop/workbench/workbench.ts';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(`${root}docs/real-servers.md`, 'utf8');
/** The cells of each row; a bar in a command is escaped. */
const [heads = [], , ...rows] = [...page.matchAll(/^\|(.*)\|$/gm)].map(([, row = '']) =>
  row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|')),
);
const sections = [...page.matchAll(/^## (.*)$/gm)].map(([, name = '']) => name);

test('the table has a row for each section, and a column for each job', () => {
  expect(heads).toEqual(['Server', ...jobs]);
  const names = rows.map(([name = '']) => /^\[(.*)\]\(#.*\)$/.exec(name)?.[1]);
  expect(names).toEqual(sections);
});

test('each cell of the table quotes a command of its section, or says that there is none', () => {
  for (const [index, section] of sections.entries()) {
    const shown = jobsOf(sectionOf(section));
    for (const [column, job] of jobs.entries()) {
      const cell = rows[index]?.[column + 1] ?? '';
      const commands = shown.get(job)?.map(({ command }) => command) ?? [];
      const quoted = [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);
      expect(quoted.length > 0, `${section}, ${job}: ${cell}`).toBe(commands.length > 0);
      for (const text of quoted) expect(commands.join('\n'), `${section}, ${job}`).toContain(text);
      if (commands.length === 0) expect(cell, `${section}, ${job}`).toMatch(/^–/);
    }
  }
});

test('each section is run', () => {
  const folder = `${root}test/interop/workbench`;
  const texts = readdirSync(folder).map((name) => readFileSync(`${folder}/${name}`, 'utf8'));
  const run = texts.flatMap((text) => [...text.matchAll(/^ {2}section: '(.*)',$/gm)].map(([, name]) => name));
  expect(run.sort()).toEqual([...sections].sort());
});
