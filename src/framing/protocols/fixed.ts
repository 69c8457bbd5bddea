/** What the framings of protocols share: their names, and headers of a fixed size. */
import { YodelError } from '../../errors.ts';
import { type Encoder, type Framing, type InPlaceEncoder, inPlace } from '../framing.ts';
import type { Message } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { type FrameScanner, ScanningDecoder } from '../scanning.ts';

/** The identity of one direction of a protocol, or of both if they are the same. */
export function idOf(protocol: string, direction?: 'requests' | 'replies'): FramingId {
  const name = direction === undefined ? protocol : `${protocol}-${direction}`;
  return { name, id: name };
}

/**
 * A framing of binary messages.
 *
 * @param createScanner returns the scanner of a decoder; the same for all, unless it keeps something about the connection. `limit`
 *   is that of a message
 */
export function binaryFraming<State>(
  framing: FramingId,
  createScanner: (state: State, limit: number) => FrameScanner,
  encoder: Encoder,
): Framing {
  return {
    ...framing,
    defaultEncoding: 'binary',
    encoder,
    createDecoder: (options, state) =>
      new ScanningDecoder(createScanner(state as State, options.maxMessageLength), options),
  };
}

/** An encoder of frames whose header is the message's own, as it is. @param sizes of headers; the first is the usual one */
export function encoderWithHeader(framing: FramingId, sizes: readonly number[], sealing: InPlaceEncoder): Encoder {
  return { ...inPlace(sealing), shapeOf: (message) => headerOf(message, framing, sizes) };
}

/**
 * A copy of the message's header; undefined if it has none, or one of another framing that does not fit.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if a program gave it a header that does not fit
 */
export function headerOf(
  { header, framing }: Message,
  { name, id }: FramingId,
  sizes: readonly number[],
): Uint8Array | undefined {
  if (header.length === 0) return undefined;
  if (sizes.includes(header.length)) return Uint8Array.from(header);
  if (framing && framing.id !== id) return undefined;
  const text = `a header of ${name} has ${sizes.join(' or ')} bytes, not ${header.length}`;
  throw new YodelError('YODEL_UNENCODABLE_MESSAGE', text);
}

/** The framing of what a server sends, with the protocol's own message for errors; undefined: none. */
export function withErrors(framing: Framing, errorPayload: (reason: string) => string | undefined): Framing {
  const { createEncoder } = framing;
  return {
    ...framing,
    encoder: { ...framing.encoder, errorPayload },
    ...(createEncoder && { createEncoder: (state: unknown) => ({ ...createEncoder(state), errorPayload }) }),
  };
}

/** @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
export function unencodable(text: string): never {
  throw new YodelError('YODEL_UNENCODABLE_MESSAGE', text);
}
