/** Reads transcripts, with the files of own framings that they name. */
import { dirname, resolve } from 'node:path';
import { isFramingFile } from '../framing/notation.ts';
import type { Protocol } from '../framing/protocol.ts';
import { parseTranscript } from '../transcript/parse.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { readText } from './files.ts';

/**
 * Reads a transcript. Files in `@framing ./mine.ts` are relative to it, and are loaded.
 *
 * @param protocol framings to use instead of those that the file names
 * @throws UsageError, TranscriptError
 */
export async function readTranscript(file: string, protocol?: Protocol): Promise<Transcript> {
  const text = readText(file);
  if (!protocol) await loadNamedFiles(text, dirname(file));
  return parseTranscript(text, file, protocol);
}

async function loadNamedFiles(text: string, folder: string): Promise<void> {
  for (const [, directive, name = ''] of text.matchAll(/^@((?:reply-)?framing|protocol)[ \t]+(\S.*?)\s*$/gm)) {
    if (!isFramingFile(name)) continue;
    const { loadFraming, loadProtocol } = await import('./wire.ts');
    await (directive === 'protocol' ? loadProtocol : loadFraming)(resolve(folder, name));
  }
}
