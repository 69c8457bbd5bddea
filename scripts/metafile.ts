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
  const imports = files.flatMap((file) => inputs[file]?.imports ?? []).filter(({ external }) => external);
  return { packages: packagesOf(files), imports: sorted(imports.map(({ path }) => path)) };
}

/** The folders of the packages that files belong to, such as `node_modules/@scope/name`, nested or not, sorted. */
export function packagesOf(files: readonly string[]): string[] {
  return sorted(files.flatMap((file) => /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
}

/** Sorts names and removes duplicates. */
export function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
