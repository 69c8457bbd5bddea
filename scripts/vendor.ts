/**
 * Bundles the packages that yodel imports, with what they import, into a minified file each: dist/vendor/NAME.js. yodel's
 * own code is not minified. Apart from it, packages take half the space, and a stack trace shows whose code failed.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type Contents, takeMetafile } from './metafile.ts';
import { runTool } from './run-tool.ts';

/**
 * Bundles packages.
 *
 * @param folder for the result: `vendor/` in it
 * @param names such as `commander`
 */
export async function bundlePackages(folder: string, names: readonly string[]): Promise<Contents> {
  const entries = join(folder, 'entries');
  const metafile = join(folder, 'metafile-vendor.json');
  mkdirSync(entries);
  for (const name of names) writeFileSync(join(entries, vendorFile(name)), await reExport(name));
  const files = names.map((name) => join(entries, vendorFile(name)));
  const form = ['--target=node', '--format=esm', '--minify', '--keep-names'];
  await runTool('bun', ['build', ...files, ...form, `--outdir=${join(folder, 'vendor')}`, `--metafile=${metafile}`]);
  rmSync(entries, { recursive: true });
  return takeMetafile(metafile);
}

/** Lets a bundled file import packages from vendor/. No line moves, so its source map stays valid. */
export function importFromVendor(file: string, folder: string, names: readonly string[]): void {
  const text = readFileSync(file, 'utf8');
  const rewritten = text.replace(/(\bfrom |\bimport\()"([^"\n]+)"/g, (found, keyword: string, name: string) => {
    if (!names.includes(name)) return found;
    const path = relative(dirname(file), join(folder, 'vendor', vendorFile(name)));
    return `${keyword}"${path.startsWith('.') ? path : `./${path}`}"`;
  });
  if (rewritten !== text) writeFileSync(file, rewritten);
}

function vendorFile(name: string): string {
  return `${name.replace('/', '-')}.js`;
}

/** An entry with all names that Node finds in the package: a bundler does not see those of CommonJS. */
async function reExport(name: string): Promise<string> {
  const names = Object.keys(await import(name)).filter((one) => /^[\w$]+$/.test(one));
  return `export { ${names.join(', ')} } from '${name}';\n`;
}
