/**
 * Bundles yodel's own code. Loading a file takes half a millisecond at start-up, however small it is, so the code that
 * `yodel serve` needs before it listens is in five chunks. Everything else is loaded on demand, in one chunk for each set of
 * files that are needed together.
 */
import { relative } from 'node:path';
import { type ChunkingContext, type CodeSplittingGroup, type OutputChunk, rolldown } from 'rolldown';
import { browserModule, exportedModules } from './exported-modules.ts';
import { type Contents, packagesOf, sorted } from './metafile.ts';
import { withoutTexts } from './without-texts.ts';

/** Files with a fixed path in dist/: what programs import, the command, and the programs of worker processes and threads. */
const entries = [
  ...exportedModules.filter((name) => name !== browserModule),
  ...['cli/main', 'cli/serve/worker', 'load/worker'],
  ...['journal/writer', 'journal/writer-text', 'process/watchdog-text'],
];

/** The files that run `yodel serve`: each after the first is imported dynamically by an earlier one. */
const serve = ['cli/main', 'cli/serve/command', 'cli/serve/run'];

/** The files that run the other commands. */
const others = [
  ...['cli/main', 'cli/connect/command', 'cli/connect/run', 'cli/connect/pipe', 'cli/connect/interactive/talk'],
  ...['cli/bench/run', 'cli/check/run', 'cli/journal/run', 'cli/replay/run', 'cli/send/run'],
];

/**
 * Bundles the entries into a folder, with source maps. Packages are not bundled.
 *
 * @returns what the bundle consists of
 */
export async function bundleOwnCode(folder: string): Promise<Contents> {
  const bundle = await rolldown({
    input: Object.fromEntries(entries.map((name) => [name, pathOf(name)])),
    external: /^[^./]/,
    platform: 'node',
    // A command's options are imported lazily by the command line, but at once by `yodel config`.
    checks: { ineffectiveDynamicImport: false },
  });
  const { output } = await bundle.write({
    dir: folder,
    sourcemap: true,
    // What has no side effects: bundlers of programs leave it out where it is not used.
    comments: { annotation: true, jsdoc: false, legal: false },
    // Stack traces show the names of src/ even where two files of a chunk use the same one.
    keepNames: true,
    chunkFileNames: 'chunks/[name]-[hash].js',
    codeSplitting: { groups: chunks() },
  });
  return contentsOf(output.filter((file) => file.type === 'chunk'));
}

/**
 * Bundles the module for browsers into one file with a source map: it shares no chunk with the others, which contain
 * modules of Node.
 *
 * @throws Error if it imports anything but yodel's own code
 */
export async function bundleForBrowsers(folder: string): Promise<void> {
  const bundle = await rolldown({
    input: { [browserModule]: pathOf(browserModule) },
    external: /^[^./]/,
    platform: 'browser',
    plugins: [withoutTexts],
  });
  const { output } = await bundle.write({
    dir: folder,
    sourcemap: true,
    comments: false,
    // Pages may load the file as it is.
    minify: true,
    codeSplitting: false,
  });
  const { packages, imports } = contentsOf(output.filter((file) => file.type === 'chunk'));
  if (packages.length + imports.length > 0)
    throw new Error(`${browserModule} imports what browsers do not have: ${[...packages, ...imports].join(', ')}`);
}

/**
 * The chunks that `yodel serve` needs: framings, two with other library code and two with command code, one of each also needed by
 * other commands. Entries keep their own files: `cli/main` waits for the command to end, which would block a chunk that others
 * import.
 */
function chunks(): CodeSplittingGroup[] {
  const [byServe, byLibrary, byOthers] = [neededBy(serve), neededBy(['index']), neededBy(others)];
  const chunk = (name: string, ...needs: Need[]): CodeSplittingGroup => ({
    debugName: name,
    name: (path, context) => ([isShared, byServe, ...needs].every((isNeeded) => isNeeded(path, context)) ? name : null),
  });
  // A module is in the first chunk that fits. Framings have one, so that a bundle of a program that uses only them has no sockets.
  return [
    chunk('framing', neededBy(['framing/library'])),
    chunk('shared', byLibrary, byOthers),
    chunk('server', byLibrary),
    chunk('command', byOthers),
    chunk('serve'),
  ];
}

/** Whether something needs the module with this path. */
type Need = (path: string, context: ChunkingContext) => boolean;

function neededBy(names: readonly string[]): Need {
  let needed: Set<string> | undefined;
  return (path, context) => {
    needed ??= closure(names, context);
    return needed.has(path);
  };
}

function isShared(path: string): boolean {
  return !entries.some((name) => path === pathOf(name));
}

/**
 * These files, and all files that they import statically, directly or indirectly.
 *
 * @throws Error if one of these does not exist any more
 */
function closure(names: readonly string[], context: ChunkingContext): Set<string> {
  const reached = new Set<string>(names.map(pathOf));
  for (const path of reached) if (!context.getModuleInfo(path)) throw new Error(`nothing imports ${path}`);
  // The loop also visits paths that are added while it runs.
  for (const path of reached) {
    for (const imported of context.getModuleInfo(path)?.importedIds ?? []) reached.add(imported);
  }
  return reached;
}

function pathOf(name: string): string {
  return `${process.cwd()}/src/${name}.ts`;
}

function contentsOf(chunks: readonly OutputChunk[]): Contents {
  const own = chunks.map(({ fileName }) => fileName);
  const imports = chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]);
  return {
    packages: packagesOf(chunks.flatMap(({ moduleIds }) => moduleIds.map((path) => relative('.', path)))),
    imports: sorted(imports.filter((name) => !own.includes(name))),
  };
}
