/** Every link in the documents leads to a file, and to a heading in it. What is published links only to what is published. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const below = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
const pages = [...readdirSync(root), ...below('docs'), ...below('bench')].filter((name) => name.endsWith('.md'));
const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };

/** What npm publishes in any case, and what package.json lists. Patterns are compared without their stars. */
function isPublished(path: string): boolean {
  const always = ['package.json', 'README.md', 'LICENSE'];
  const listed = files.filter((entry) => !entry.startsWith('!')).map((entry) => entry.replace(/^\.\//, ''));
  return always.includes(path) || listed.some((entry) => matches(path, entry));
}

function matches(path: string, entry: string): boolean {
  const [before = '', after] = entry.split('*');
  if (after === undefined) return path === entry || path.startsWith(`${entry}/`);
  return path.startsWith(before) && path.endsWith(after);
}

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(/```[\s\S]*?```/g, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The relative links of a page, from the root of the project. */
function linksOf(page: string): { readonly link: string; readonly target: string; readonly anchor: string }[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(/```[\s\S]*?```/g, '');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  return links
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path = '', anchor = ''] = link.split('#');
      const file = path === '' ? page : relative(root, new URL(path, `file://${root}${page}`).pathname);
      return { link: `${page} -> ${link}`, target: file.replace(/\/$/, ''), anchor };
    });
}

test('every link leads to a file or directory, and to a heading that is there', () => {
  const broken: string[] = [];
  for (const { link, target, anchor } of pages.flatMap(linksOf)) {
    if (!statSync(join(root, target), { throwIfNoEntry: false })) broken.push(link);
    else if (anchor !== '' && !anchorsOf(target).includes(anchor)) broken.push(`${link} (no such heading)`);
  }
  expect(broken).toEqual([]);
});

test('a published page links only to published files', () => {
  const published = pages.filter(isPublished);
  expect(published).toContain('README.md');
  const unpublished = published.flatMap(linksOf).filter(({ target }) => !isPublished(target));
  expect(unpublished.map(({ link }) => link)).toEqual([]);
});
