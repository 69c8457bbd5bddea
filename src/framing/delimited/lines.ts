/** Lines, the framing of most text protocols. */

import { YodelError } from '../../errors.ts';
import { checkShapes } from '../../option-shapes.ts';
import { type Encoder, type Framing, inPlace } from '../framing.ts';
import type { Message } from '../message.ts';
import { AtOnceDecoder } from './at-once.ts';
import { DelimitedDecoder, DelimitedFrames } from './delimited.ts';
import { countByte, hasByte } from './scan.ts';

const LF = 0x0a;
const CR = 0x0d;
const lf = Buffer.from('\n');
const crlf = Buffer.from('\r\n');

/**
 * One message per line. A line ends with LF; a CR before the LF belongs to the ending (CRLF); any other CR is data. The
 * last line need not have an ending.
 *
 * ```
 * input bytes       messages
 * a\nb\r\n          "a" "b"
 * \n                ""
 * a\rb\n            "a\rb"
 * a\r\r\n           "a\r"
 * a   (end)         "a"
 * a\r (end)         "a\r"
 * ```
 *
 * A reply ends as its message ended. A message that contains LF cannot be sent as one line.
 *
 * @param options.crlf whether messages that are not replies end with CRLF, as many old protocols require. Default: LF
 */
export function lines(options: LinesOptions = {}): Framing {
  checkShapes(options, { crlf: 'boolean' }, 'lines()');
  const { crlf = false } = options;
  return crlf ? crlfFraming : framing;
}

/** Options of {@link lines}. */
export interface LinesOptions {
  readonly crlf?: boolean | undefined;
}

/**
 * @param usual the ending of a message that is not a reply
 * @param required the ending that a peer needs before it has sent any, if it is known
 */
function encoderWith(usual: Buffer, required?: Buffer): Encoder {
  return {
    ...inPlace({
      headerSize: () => 0,
      trailerSize: 2,
      seal(target, at, _start, end, shape = usual) {
        // After a trailing CR, LF would be read as CRLF, and the CR would be lost.
        const ending = shape.length === 2 || (end > at && target[end - 1] === CR) ? crlf : lf;
        const last = end + ending.length - 1;
        if (ending === crlf) target[end] = CR;
        target[last] = LF;
        // At the latest, the search finds the ending.
        const found = target.indexOf(LF, at);
        if (found === last) return last + 1;
        throw new YodelError(
          'YODEL_UNENCODABLE_MESSAGE',
          `the message contains a line feed at offset ${found - at}, so it would arrive as several lines; send one message per line, or use another framing, such as raw`,
        );
      },
    }),
    text: {
      ending: (shape = usual) => (shape.length === 2 ? '\r\n' : '\n'),
      areSealed: (bytes, start, end, count, ending) =>
        countByte(bytes, LF, start, end) === count && (ending === '\r\n' || !hasByte(bytes, CR, start, end)),
    },
    shapeOf,
    sharesShape: true,
    suits(message, shape: Uint8Array | undefined = required) {
      const ending = shapeOf(message);
      return ending !== undefined && (shape === undefined || ending === shape);
    },
  };
}

/** The ending of a line; undefined of a last one without, and of messages of other framings. */
function shapeOf(message: Message): Buffer | undefined {
  const { framing } = message;
  if (framing !== frames.framing && framing?.id !== 'lines') return undefined;
  const { terminatorSize } = message;
  return terminatorSize === 0 ? undefined : terminatorSize === 1 ? lf : crlf;
}

const frames = new DelimitedFrames({ name: 'lines', id: 'lines' }, lf, true);

const framing: Framing = {
  ...frames.framing,
  defaultEncoding: 'utf8',
  encoder: encoderWith(lf),
  createDecoder: (options) => (options.atOnce ? new AtOnceDecoder(frames) : new DelimitedDecoder(frames, options)),
};

const crlfFraming: Framing = { ...framing, encoder: encoderWith(crlf, crlf) };
