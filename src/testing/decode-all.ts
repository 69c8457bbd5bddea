/** Decodes a whole input, as a session would. */
import { YodelError } from '../errors.ts';
import { type DecoderOptions, decodeChunk, type Framing } from '../framing/framing.ts';
import type { Message } from '../framing/message.ts';

/** How {@link decodeAll} decodes. */
export interface DecodeAllOptions extends Partial<DecoderOptions> {
  /** What the decoders of a protocol share (`Protocol.createState`). Default: nothing. */
  readonly state?: unknown;
}

/** What an input contained. */
export interface Decoded {
  readonly messages: readonly Message[];
  /** The errors of what was not a message, in order: of messages that were discarded, and the one that stopped the decoder. */
  readonly faults: readonly YodelError[];
  /** The number of bytes that were buffered before the input ended. */
  readonly pending: number;
}

/**
 * Decodes chunks, and the end of the input. Each chunk is overwritten once it is decoded, as a socket does that reads into one
 * buffer, so a framing that keeps bytes without copying them shows.
 *
 * @param input bytes in one chunk, or several chunks
 * @param options Default: at most 64 KiB in a message, binary
 */
export function decodeAll(
  framing: Framing,
  input: Uint8Array | readonly Uint8Array[],
  options: DecodeAllOptions = {},
): Decoded {
  checkIsFraming(framing);
  const { maxMessageLength = 65_536, onTooLong = 'close', encoding = 'binary', state } = options;
  const decoder = framing.createDecoder({ maxMessageLength, onTooLong, encoding }, state);
  const messages: Message[] = [];
  const faults: YodelError[] = [];
  const take = (batch: ReturnType<typeof decoder.decode>) => {
    for (const message of batch) messages.push(message.copy());
    if (batch.fault) faults.push(batch.fault);
  };
  for (const chunk of input instanceof Uint8Array ? [input] : input) {
    const borrowed = Buffer.from(chunk);
    for (const batch of decodeChunk(decoder, borrowed)) take(batch);
    borrowed.fill(0xee);
  }
  const { pending } = decoder;
  take(decoder.end());
  return { messages, faults, pending };
}

/** @internal @throws YodelError `YODEL_INVALID_OPTION` for anything but a framing, such as a definition */
export function checkIsFraming(framing: Framing): void {
  if (typeof (framing as Partial<Framing> | undefined)?.createDecoder === 'function') return;
  const text = 'this is no framing; a definition becomes one by defineFraming()';
  throw new YodelError('YODEL_INVALID_OPTION', text);
}
