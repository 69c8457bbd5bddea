/**
 * Shrinks the bundler's source maps. They refer to the files of src/, which ship too, instead of containing them, and map
 * lines, not columns: the bundle is not minified, so a line is precise enough.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, relative, resolve } from 'node:path';
import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec';

interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

/**
 * Rewrites the source map of a bundled file. A file that consists of imports and exports alone loses its map.
 *
 * @param file the JavaScript file; its map is `FILE.map`
 * @param folder the bundle's folder: Bun's paths are relative to it, not to the map's folder
 */
export function rewriteSourceMap(file: string, folder: string): void {
  const { sources, mappings } = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMap;
  // Only Bun's own tools use the debug id.
  const code = readFileSync(file, 'utf8').replace(/\n+\/\/# (debugId|sourceMappingURL)=.*/g, '');
  const lines = [code.trimEnd()];
  if (sources.length === 0) rmSync(`${file}.map`);
  else {
    const map = {
      version: 3,
      sources: sources.map((source) => relative(dirname(file), resolve(folder, source))),
      names: [],
      mappings: encode(decode(mappings).map(mapLine)),
    };
    writeFileSync(`${file}.map`, JSON.stringify(map));
    lines.push(`//# sourceMappingURL=${basename(file)}.map`);
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/** Keeps the segments of a bundled line at which the source line changes, each at the start of the source line. */
function mapLine(segments: readonly SourceMapSegment[]): SourceMapSegment[] {
  const kept: SourceMapSegment[] = [];
  for (const [column, source = 0, line = 0] of segments) {
    const last = kept.at(-1);
    if (last?.[1] !== source || last[2] !== line) kept.push([column, source, line, 0]);
  }
  return kept;
}
