/** Messages that end with a byte sequence of your choice. */
import { isAscii } from 'node:buffer';
import { YodelError } from '../../errors.ts';
import { formatBytes } from '../escapes.ts';
import { type Framing, type InPlaceEncoder, inPlace, type TextFrames } from '../framing.ts';
import { DelimitedDecoder, DelimitedFrames } from './delimited.ts';
import { severalDelimiters } from './delimiters.ts';
import { countByte } from './scan.ts';

/**
 * Messages that end with a delimiter: `delimiter('\0')`, `delimiter(Uint8Array.of(0xff, 0xfe))`. The last message need
 * not end with one. The first occurrence of the delimiter ends the message.
 *
 * ```
 * delimiter "||"
 * a||b|c||          "a" "b|c"
 * ||                ""
 * a|  (end)         "a|"
 *
 * delimiters "\r\n" "\n" "\0"
 * a\r\nb\nc\0d       "a" "b" "c"
 * a\rb\n            "a\rb"
 * ```
 *
 * With several delimiters, each of them ends a message: the first that occurs, and of those that begin at the same place the
 * longest. A reply ends as its message ended, any other message with the first delimiter. A message that contains any of them
 * cannot be sent. If a delimiter begins with another one and a byte more, as CR LF begins with CR, a message that ends with CR
 * is complete only when the next byte has arrived, and no message can be sent that begins with LF. One that contains
 * another in any other way than as its end is refused.
 *
 * @param delimiter text or bytes, 1 to 64 bytes
 * @param others further delimiters, up to 15
 * @throws YodelError `YODEL_INVALID_OPTION` for an empty or longer one
 */
export function delimiter(delimiter: string | Uint8Array, ...others: readonly (string | Uint8Array)[]): Framing {
  const all = [delimiter, ...others].map((one) => Buffer.from(one as string));
  const wrong = all.find(({ length }) => length < 1 || length > 64);
  if (wrong) throw new YodelError('YODEL_INVALID_OPTION', `a delimiter has 1 to 64 bytes, not ${wrong.length}`);
  return others.length > 0 ? severalDelimiters(all) : oneDelimiter(all[0] as Buffer);
}

function oneDelimiter(bytes: Buffer): Framing {
  const name = `delimiter:${formatBytes(bytes)}`;
  const frames = new DelimitedFrames({ name, id: name }, bytes, false);
  return {
    ...frames.framing,
    defaultEncoding: 'utf8',
    encoder: {
      ...inPlace(delimitedBy(bytes)),
      shapeOf: () => undefined,
      suits: ({ terminatorSize }) => terminatorSize > 0,
      ...(bytes.length === 1 && isAscii(bytes) && { text: textFramesOf(bytes) }),
    },
    createDecoder: (options) => new DelimitedDecoder(frames, options),
  };
}

function delimitedBy(delimiter: Buffer): InPlaceEncoder {
  return {
    headerSize: () => 0,
    trailerSize: delimiter.length,
    seal(target, at, _start, end) {
      target.set(delimiter, end);
      // The delimiter must not occur earlier, not even where it overlaps the one at the end.
      const found = target.subarray(at, end + delimiter.length).indexOf(delimiter);
      if (found !== end - at) {
        throw new YodelError(
          'YODEL_UNENCODABLE_MESSAGE',
          `the message contains the delimiter at offset ${found}, so it would arrive as two messages; use another delimiter, or the framing "length"`,
        );
      }
      return end + delimiter.length;
    },
  };
}

/** Only for one ASCII character: a longer delimiter can arise where two texts meet, another byte is part of a character. */
function textFramesOf(delimiter: Buffer): TextFrames {
  const ending = delimiter.toString();
  const byte = delimiter[0] as number;
  return {
    ending: () => ending,
    areSealed: (bytes, start, end, count) => countByte(bytes, byte, start, end) === count,
  };
}
