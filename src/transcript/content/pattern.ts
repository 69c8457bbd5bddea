/** Patterns: `/^ok/i`. */
import { isUtf8 } from 'node:buffer';
import { asBuffer } from '../../framing/framing.ts';
import { ContentError } from './error.ts';

/** A pattern: after the last slash only letters that are flags in JavaScript, so that `/usr/bin` is literal text. */
export const patternForm = /^\/(.+)\/([dgimsuvy]*)$/;

/** @param source without the slashes @throws ContentError at an index of the text that begins with the slash */
export function parsePattern(source: string, flags: string): RegExp {
  const wrong = /[^imsu]/.exec(flags);
  if (wrong)
    throw new ContentError(
      source.length + 2 + wrong.index,
      `a pattern takes the flags i, m, s and u, not "${wrong[0]}"`,
    );
  if (new Set(flags).size < flags.length) throw new ContentError(source.length + 2, 'a pattern flag is repeated');
  try {
    return new RegExp(source, flags);
  } catch (error) {
    const [, reason] = /: ([^:]+)$/.exec((error as Error).message) ?? [];
    throw new ContentError(
      1,
      `invalid pattern: ${reason ?? (error as Error).message}; text that starts and ends with / is written in the form with escapes: \\/`,
    );
  }
}

/** The values of the named groups, if the pattern matches. Bytes that are not UTF-8 are read as Latin-1, so that none is lost. */
export function groupsOf(pattern: RegExp, bytes: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
  if (isUtf8(bytes)) {
    const found = groupsIn(pattern, bytes, 'utf8');
    // Without the flag u a group can be half of a character.
    const isWhole = [...(found?.values() ?? [])].every((value) => !/\p{Cs}/u.test(value));
    if (isWhole) return encoded(found, 'utf8');
  }
  return encoded(groupsIn(pattern, bytes, 'latin1'), 'latin1');
}

function encoded(
  groups: ReadonlyMap<string, string> | undefined,
  encoding: 'utf8' | 'latin1',
): ReadonlyMap<string, Uint8Array> | undefined {
  return groups && new Map([...groups].map(([name, value]) => [name, Buffer.from(value, encoding)]));
}

function groupsIn(
  pattern: RegExp,
  bytes: Uint8Array,
  encoding: 'utf8' | 'latin1',
): ReadonlyMap<string, string> | undefined {
  const found = pattern.exec(asBuffer(bytes).toString(encoding));
  return found ? new Map(Object.entries(found.groups ?? {}).filter(([, value]) => value !== undefined)) : undefined;
}

/** The names of the groups. */
export function groupNames(pattern: RegExp): string[] {
  // A parenthesis after an odd number of backslashes is literal.
  const groups = pattern.source.matchAll(/(?<!\\)(?:\\\\)*\(\?<([A-Za-z_]\w*)>/g);
  return Array.from(groups, ([, group]) => group as string);
}
