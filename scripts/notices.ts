/**
 * Makes THIRD-PARTY-NOTICES.txt, which ships: the licences of the packages whose code is in dist/, as the last build recorded
 * them. `npm run notices` builds if necessary and writes the file; a test compares it.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readStamp } from './build-stamp.ts';

const root = new URL('..', import.meta.url).pathname;

/** Where the notices are. */
export const noticesFile: string = join(root, 'THIRD-PARTY-NOTICES.txt');

const introduction = `The files in dist/ contain code of the packages below, under these licences.
This list is made by \`npm run notices\`; do not edit.
`;

/**
 * The text of THIRD-PARTY-NOTICES.txt.
 *
 * @throws Error when dist/ is not built, or a bundled package has no licence text
 */
export function thirdPartyNotices(): string {
  const stamp = readStamp();
  if (!stamp) throw new Error('dist/ is not built: npm run build');
  const notices = stamp.packages.map((folder) => noticeOf(join(root, folder)));
  return [introduction, ...notices].join(`\n${'-'.repeat(80)}\n\n`);
}

function noticeOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageJson;
  const files = readdirSync(folder).filter((file) =>
    /^(licen[cs]e|copying|notice|copyrightnotice)(\.|-|$)/i.test(file),
  );
  if (license === undefined || !files.some((file) => /^(licen[cs]e|copying)/i.test(file))) {
    throw new Error(`${name} ${version} is bundled and has no licence text: look for another package`);
  }
  const texts = files.sort().map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
  return `${name} ${version}\nLicence: ${license}\n\n${texts.join('\n\n')}\n`;
}

interface PackageJson {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly license?: string;
}

if (process.argv[1] === import.meta.filename) {
  execFileSync('node', [join(root, 'scripts/build.ts')], { stdio: 'inherit' });
  writeFileSync(noticesFile, thirdPartyNotices());
}
