/** What a bundle consists of, from the metafile that `bun build` writes. */
import { readFileSync, rmSync } from 'node:fs';

/** The part of Bun's metafile that is used here. */
interface Metafile {
  /** Files read, by path. */
  readonly inputs: Readonly<Record<string, { readonly imports: readonly Import[] }>>;
  /** Files written, by path, with the files whose code they contain. */
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>;
}

interface Import {
  readonly path: string;
  readonly external?: boolean;
}

/** What a bundle consists of. */
export interface Contents {
  /** Folders of the packages whose code is in the bundle, such as `node_modules/commander`, sorted. */
  readonly packages: readonly string[];
  /** Modules that the bundle imports, including Node's own, sorted. */
  readonly imports: readonly string[];
}

/** Reads a metafile and removes it. */
export function takeMetafile(path: string): Contents {
  const { inputs, outputs } = JSON.parse(readFileSync(path, 'utf8')) as Metafile;
  rmSync(path);
  const files = sorted(Object.values(outputs).flatMap((output) => Object.keys(output.inputs)));
  // Bun also calls its own chunks external where they are imported dynamically.
  const imports = files
    .flatMap((file) => inputs[file]?.imports ?? [])
    .filter(({ external, path }) => external && !path.startsWith('.'));
  return { packages: sorted(files.flatMap(packageOf)), imports: sorted(imports.map(({ path }) => path)) };
}

/** The package folder of a file, such as `node_modules/@scope/name`, nested or not; none for a file of src/. */
function packageOf(file: string): string[] {
  const [folder] = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
  return folder === undefined ? [] : [folder];
}

/** Sorts names and removes duplicates. */
export function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
