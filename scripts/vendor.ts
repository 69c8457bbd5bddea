/**
 * Bundles each package that yodel imports, with its dependencies, into one minified file, dist/vendor/NAME.js. Minified
 * they take half the space. yodel's own code is not minified, so that it can be read and debugged.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type Contents, takeMetafile } from './metafile.ts';
import { runTool } from './run-tool.ts';

/**
 * Bundles packages into `vendor/`.
 *
 * @param folder the folder that contains `vendor/`
 * @param names the packages, such as `commander`
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

/** Makes a bundled file import packages from vendor/. Lines stay where they are, so its source map stays valid. */
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

/** An entry that exports the names Node finds in a package. A bundler does not see those of CommonJS packages. */
async function reExport(name: string): Promise<string> {
  const names = Object.keys(await import(name)).filter((one) => /^[\w$]+$/.test(one));
  return `export { ${names.join(', ')} } from '${name}';\n`;
}
