/** What `yodel check` checks: the files and the address on the command line. */
import { existsSync } from 'node:fs';
import { type Address, parseAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import { refuseWithoutExpectations } from '../../transcript/expectations.ts';
import { refuseUnplayable } from '../../transcript/playable.ts';
import type { Transcript } from '../../transcript/transcript.ts';
import { UsageError } from '../fail.ts';
import { checkWritable } from '../files.ts';
import { type GivenToTranscript, readTranscript } from '../transcript-file.ts';

/** A file to check. */
export interface CheckedFile {
  /** As it was given. */
  readonly file: string;
  /** Its transcript, or why it cannot be played. */
  readonly content: Transcript | Error;
}

/**
 * The last word is the address, unless it is a file.
 *
 * @param isStarted whether the server is started: then `{port}` in the address is a free port
 * @throws UsageError
 */
export function filesAndAddress(
  words: readonly string[],
  isStarted: boolean,
): { readonly files: readonly string[]; readonly address: Address | undefined } {
  const last = words.at(-1) ?? '';
  if (existsSync(last) || (words.length > 1 && /\.transcript$/.test(last))) return { files: words, address: undefined };
  const files = words.slice(0, -1);
  if (files.length === 0) throw new UsageError(`there is no file ${last}; usage: yodel check FILE ADDRESS`);
  try {
    return { files, address: parseAddress(isStarted ? last.replace('{port}', '0') : last) };
  } catch (error) {
    throw new UsageError(`"${last}" is neither a file nor an address: ${(error as Error).message}`);
  }
}

/** Reads a file. An error is part of the result, so that it does not hide those of other files. */
export async function loadFile(
  file: string,
  given: GivenToTranscript,
  { isUpdated }: { readonly isUpdated: boolean },
): Promise<CheckedFile> {
  try {
    const transcript = await readTranscript(file, given);
    refuseUnplayable(transcript, '>');
    if (isUpdated) checkWritable(file);
    else refuseWithoutExpectations(transcript);
    return { file, content: transcript };
  } catch (error) {
    if (!(error instanceof YodelError || error instanceof UsageError)) throw error;
    return { file, content: error };
  }
}
