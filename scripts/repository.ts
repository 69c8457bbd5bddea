/**
 * Sets the project's repository: `npm run repository -- OWNER/NAME` replaces the current name in package.json
 * (`repository`, `bugs`, `homepage`) and in every other tracked file. Links within the project are relative.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);

/** Returns the repository's name from package.json, such as `OWNER/yodel`. */
export function repositoryName(): string {
  const { repository } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
    repository: { url: string };
  };
  const [, name] = /^git\+https:\/\/github\.com\/([^/]+\/[^/]+)\.git$/.exec(repository.url) ?? [];
  if (name === undefined)
    throw new Error(`package.json: repository is not of the form git+https://github.com/OWNER/NAME.git`);
  return name;
}

function rename(before: string, after: string): void {
  const files = execFileSync('git', ['grep', '-lzF', before], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter(Boolean);
  for (const file of files) {
    const path = new URL(file, root);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(before, after));
    process.stdout.write(`${file}\n`);
  }
}

if (process.argv[1] === import.meta.filename) {
  const [name = ''] = process.argv.slice(2);
  if (!/^[\w.-]+\/[\w.-]+$/.test(name)) throw new Error('usage: npm run repository -- OWNER/NAME');
  rename(repositoryName(), name);
}
