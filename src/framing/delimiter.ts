/** Messages that end with a byte sequence of one's own. */
import { YodelError } from '../errors.ts';
import { DelimitedDecoder } from './delimited.ts';
import { formatBytes } from './escapes.ts';
import type { Framing } from './framing.ts';

/**
 * Messages that end with a delimiter: `delimiter('\0')`, `delimiter(Uint8Array.of(0xff, 0xfe))`. The last message need
 * not have one. The first place where the delimiter fits ends the message.
 *
 * ```
 * delimiter "||"
 * a||b|c||          "a" "b|c"
 * ||                ""
 * a|  (end)         "a|"
 * ```
 *
 * @param delimiter text or bytes, 1 to 64 bytes
 * @throws YodelError `YODEL_INVALID_OPTION` for an empty or longer one
 */
export function delimiter(delimiter: string | Uint8Array): Framing {
  const bytes = Buffer.from(delimiter as string);
  if (bytes.length < 1 || bytes.length > 64) {
    throw new YodelError('YODEL_INVALID_OPTION', `a delimiter has 1 to 64 bytes, not ${bytes.length}`);
  }
  return {
    name: `delimiter:${formatBytes(bytes)}`,
    defaultEncoding: 'utf8',
    encoder: {
      headerSize: 0,
      trailerSize: bytes.length,
      seal(target, at, end) {
        target.set(bytes, end);
        // The delimiter must fit nowhere before the end, not even by overlapping its own beginning.
        const found = target.subarray(at, end + bytes.length).indexOf(bytes);
        if (found !== end - at) {
          throw new YodelError(
            'YODEL_UNENCODABLE_MESSAGE',
            `the message and the delimiter meet at offset ${found}, so it would arrive cut in two; use another delimiter, or the framing "length"`,
          );
        }
        return end + bytes.length;
      },
      shapeOf: () => undefined,
    },
    createDecoder: (options) => new DelimitedDecoder(bytes, false, options),
  };
}
