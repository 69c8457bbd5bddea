/**
 * Shrinks the bundler's source maps. They refer to the files of src/, which ship too, instead of containing them, and map
 * lines, not columns: the bundle is not minified, so a line is precise enough.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { decode, encode, type SourceMapSegment } from '@jridgewell/sourcemap-codec';

interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

/**
 * Rewrites the source map of a bundled file. A file that consists of imports and exports alone has none.
 *
 * @param file the JavaScript file; its map is `FILE.map`
 */
export function rewriteSourceMap(file: string): void {
  if (!existsSync(`${file}.map`)) return;
  const { sources, mappings } = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as SourceMap;
  const map = { version: 3, sources, names: [], mappings: encode(decode(mappings).map(mapLine)) };
  writeFileSync(`${file}.map`, JSON.stringify(map));
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
