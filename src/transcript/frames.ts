/** Conversion between the messages of a transcript and frames. */
import { YodelError } from '../errors.ts';
import { encode, encodeLike, type Framing } from '../framing/framing.ts';
import { lines } from '../framing/lines.ts';
import type { Message } from '../framing/message.ts';
import { bytesOf } from './content.ts';
import type { Content, Ending, Transcript } from './transcript.ts';

const shapes: Readonly<Record<Exclude<Ending, 'none'>, Uint8Array>> = {
  lf: Buffer.from('\n'),
  crlf: Buffer.from('\r\n'),
};

/** The longest message a player or a recording accepts, in bytes. */
export const longestMessage = 67_108_864;

/** The frame of a message; `ending` matters for the framing `lines` only. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
export function frameOf(framing: Framing, bytes: Uint8Array, ending: Ending): Uint8Array {
  if (framing.name !== 'lines') return encode(framing, bytes);
  return ending === 'none' ? bytes : encodeLike(framing, bytes, shapes[ending]);
}

/** The reason why a message cannot be encoded; undefined if it can, or if names in it have no values yet. */
export function unencodable({ framing = lines() }: Pick<Transcript, 'framing'>, content: Content): string | undefined {
  const bytes = bytesOf(content, new Map());
  if (!bytes) return undefined;
  try {
    frameOf(framing, bytes, 'lf');
    return undefined;
  } catch (error) {
    if (error instanceof YodelError) return error.message;
    throw error;
  }
}

/** How a message's frame ended; undefined for framings other than `lines`. */
export function endingOf(framing: Framing, { terminator }: Message): Ending | undefined {
  if (framing.name !== 'lines') return undefined;
  return terminator.length === 0 ? 'none' : terminator.length === 1 ? 'lf' : 'crlf';
}

/** A message whose frame has the given ending. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
export function messageOf(framing: Framing, bytes: Uint8Array, ending: Ending): Message | undefined {
  const decoder = framing.createDecoder({
    maxMessageLength: longestMessage,
    onTooLong: 'close',
    encoding: 'binary',
  });
  const whole = [...decoder.decode(frameOf(framing, bytes, ending))];
  return whole[0] ?? [...decoder.end()][0];
}
