/**
 * Shrinks the bundler's source maps to what ships. They refer to the files of src/, which ship too, instead of containing
 * them. Code of bundled packages is unmapped, because its sources do not ship. Only lines are mapped, not columns: the
 * bundle is not minified, so a line is enough to find a place, and the maps are a fifth of the size.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, relative, resolve } from 'node:path';
import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec';

interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

/**
 * Rewrites the source map of a bundled file. A file without code from src/ loses its map.
 *
 * @param file the JavaScript file; its map is `FILE.map`
 * @param folder the bundle's folder: Bun's paths are relative to it, not to the map's folder
 * @param sources the folder whose files stay mapped
 */
export function rewriteSourceMap(file: string, folder: string, sources: string): void {
  const map = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMap;
  const paths = map.sources.map((source) => resolve(folder, source));
  const kept = paths.filter((path) => path.startsWith(`${resolve(sources)}/`));
  // Only Bun's own tools use the debug id.
  const code = readFileSync(file, 'utf8').replace(/\n+\/\/# (debugId|sourceMappingURL)=.*/g, '');
  if (kept.length === 0) {
    rmSync(`${file}.map`);
    writeFileSync(file, `${code.trimEnd()}\n`);
    return;
  }
  const newIndex = paths.map((path) => kept.indexOf(path));
  const lines = decode(map.mappings).map((segments) => mapLine(segments, newIndex));
  const rewritten = {
    version: 3,
    sources: kept.map((path) => relative(dirname(file), path)),
    names: [],
    mappings: encode(lines),
  };
  writeFileSync(`${file}.map`, JSON.stringify(rewritten));
  writeFileSync(file, `${code.trimEnd()}\n//# sourceMappingURL=${basename(file)}.map\n`);
}

/** Keeps the segments of a bundled line at which the source line changes. */
function mapLine(segments: readonly SourceMapSegment[], newIndex: readonly number[]): SourceMapSegment[] {
  const kept: SourceMapSegment[] = [];
  for (const [column, source = -1, line = 0, sourceColumn = 0] of segments) {
    const index = newIndex[source] ?? -1;
    const segment: SourceMapSegment = index === -1 ? [column] : [column, index, line, sourceColumn];
    const last = kept.at(-1);
    if (!last || last[1] !== segment[1] || last[2] !== segment[2]) kept.push(segment);
  }
  return kept;
}
