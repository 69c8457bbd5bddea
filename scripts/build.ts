/**
 * Builds dist/ from src/. tsc compiles the declarations and the command's entry point, bundlers do the rest: a program of two
 * hundred files spends much of its start-up finding them. The library and the command share their chunks, so that a handler
 * file that imports yodel gets the same classes.
 *
 *     npm run build               build, unless dist/ is current
 *     npm run build -- --check    only check: exit status 1 if dist/ is stale
 *
 * Files are replaced by renaming, so that a program that starts during a build finds each of them complete.
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { hashOfSources, isBuildCurrent, removeStamp, writeStamp } from './build-stamp.ts';
import { rewriteBuiltinImports } from './builtin-modules.ts';
import { bundleForBrowsers, bundleOwnCode } from './bundle.ts';
import { pruneDeclarations } from './declarations.ts';
import { browserModule, exportedModules } from './exported-modules.ts';
import { type Contents, sorted } from './metafile.ts';
import { markPureConstants } from './pure-constants.ts';
import { runTool } from './run-tool.ts';
import { rewriteSourceMap } from './source-maps.ts';
import { bundlePackages, importFromVendor } from './vendor.ts';

process.chdir(join(import.meta.dirname, '..'));
if (process.argv.includes('--check')) {
  if (!isBuildCurrent()) {
    process.stderr.write('dist/ is stale: npm run build\n');
    process.exitCode = 1;
  }
} else if (!isBuildCurrent()) {
  await build();
}

async function build(): Promise<void> {
  // First, so that a source that changes during the build leaves it stale.
  const hash = hashOfSources();
  // Beside dist/, so that relative paths in the source maps stay valid.
  const staging = mkdtempSync('.build-');
  try {
    const [built] = await Promise.all([bundle(staging), compile(staging)]);
    await embed(staging, 'journal/writer', 'esm', 'journal/writer-text', 'writerText');
    await embed(staging, 'process/watchdog-thread', 'cjs', 'process/watchdog-text', 'watchdogText');
    await writeHelp(staging);
    pruneDeclarations(
      staging,
      exportedModules.map((name) => `${name}.d.ts`),
      filesIn(staging),
    );
    // So that `npx yodel` works in a clone.
    chmodSync(join(staging, 'cli/yodel.cjs'), 0o755);
    replaceDist(staging);
    writeStamp({ hash, ...built });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Bundles the entries, and separately the packages that they import. Returns the contents of both. */
async function bundle(folder: string): Promise<Contents> {
  const own = await bundleOwnCode(folder);
  const bundled = own.imports.filter((name) => !isBuiltin(name));
  for (const file of scriptsIn(folder)) {
    rewriteSourceMap(join(folder, file));
    markPureConstants(join(folder, file));
    importFromVendor(join(folder, file), folder, bundled);
  }
  const vendor = await bundlePackages(folder, bundled);
  for (const file of scriptsIn(folder)) rewriteBuiltinImports(join(folder, file));
  await bundleForBrowsers(folder);
  rewriteSourceMap(join(folder, `${browserModule}.js`));
  const imports = own.imports.filter((name) => !bundled.includes(name));
  return {
    packages: sorted([...own.packages, ...vendor.packages]),
    imports: sorted([...imports, ...vendor.imports]),
  };
}

/** Compiles the declarations and the command's entry point, which is CommonJS and not bundled. */
async function compile(folder: string): Promise<void> {
  const script = ['--ignoreConfig', '--target', 'es2024', '--module', 'nodenext', '--noCheck', '--noResolve'];
  await Promise.all([
    runTool('tsc', ['-p', 'tsconfig.build.json', '--outDir', folder]),
    runTool('tsc', [...script, '--types', 'node', '--outDir', join(folder, 'cli'), 'src/cli/yodel.cts']),
  ]);
}

/** Writes the program of a thread to a module that exports it as one string: see src/journal/writer-text.ts. */
async function embed(
  folder: string,
  program: string,
  format: 'esm' | 'cjs',
  module: string,
  name: string,
): Promise<void> {
  const text = await runTool('bun', ['build', `src/${program}.ts`, '--target=node', `--format=${format}`, '--minify']);
  writeFileSync(join(folder, `${module}.js`), `export const ${name} = ${JSON.stringify(text)};\n`);
  rmSync(join(folder, `${module}.js.map`), { force: true });
}

/** Writes the help beside the command's entry point, which prints it. */
async function writeHelp(folder: string): Promise<void> {
  const { helpTexts } = await import('./help-texts.ts');
  writeFileSync(join(folder, 'cli/help.json'), JSON.stringify(await helpTexts()));
}

function replaceDist(staging: string): void {
  const built = filesIn(staging);
  removeStamp();
  for (const file of built) {
    mkdirSync(dirname(join('dist', file)), { recursive: true });
    renameSync(join(staging, file), join('dist', file));
  }
  for (const file of filesIn('dist')) if (!built.includes(file)) rmSync(join('dist', file));
}

function scriptsIn(folder: string): string[] {
  return filesIn(folder).filter((file) => file.endsWith('.js'));
}

function filesIn(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
}
