/**
 * The own framings of this process, so that text can refer to them: a recording by the framing's name, a transcript or setting by
 * the file that defines it.
 */
import type { Framing } from '../framing.ts';

const byName = new Map<string, Framing>();
const byFile = new Map<string, Framing>();

/**
 * Remembers a framing by its name, and by the file that exports it. The last one of a name or file counts, because a file may be
 * loaded again after a change.
 *
 * @param file an absolute path
 */
export function rememberFraming(framing: Framing, file?: string): void {
  byName.set(framing.name, framing);
  if (file !== undefined) byFile.set(file, framing);
}

/** The framing with this name, or of the file with this absolute path; undefined if there is none in this process. */
export function ownFraming(nameOrFile: string): Framing | undefined {
  return byName.get(nameOrFile) ?? byFile.get(nameOrFile);
}
