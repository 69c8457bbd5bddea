/** Reads what a process prints, line by line. */
import type { Readable } from 'node:stream';

/**
 * Calls `take` with each line of a stream of UTF-8, without the newline.
 *
 * @param maxLength in UTF-16 units; a longer line is split
 * @param options.keepsPartial whether a last line without a newline is a line too. Default: no, because a killed process may
 *   have printed half of it.
 */
export function eachLine(
  stream: Readable,
  take: (line: string) => void,
  maxLength: number,
  { keepsPartial = false }: { readonly keepsPartial?: boolean } = {},
): void {
  /** The pieces of the unfinished line. Joined once, because adding to a long string for each chunk costs more. */
  let pieces: string[] = [];
  let length = 0;
  const finish = () => {
    take(pieces.join(''));
    pieces = [];
    length = 0;
  };
  const add = (text: string) => {
    let from = 0;
    for (; length + text.length - from > maxLength; finish()) {
      const end = from + maxLength - length;
      pieces.push(text.slice(from, end));
      from = end;
    }
    if (from < text.length) pieces.push(text.slice(from));
    length += text.length - from;
  };
  stream.setEncoding('utf8').on('data', (text: string) => {
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      add(text.slice(from, end));
      finish();
      from = end + 1;
    }
    add(text.slice(from));
  });
  if (keepsPartial) stream.on('close', () => length > 0 && finish());
}
