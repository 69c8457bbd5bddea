/** How `yodel subscribe` prints messages. */
import { YodelError } from '../../errors.ts';
import { isoTime } from '../../format/time.ts';
import { encode, type Framing } from '../../framing/framing.ts';
import type { RoomEvent } from '../../members/subscribing.ts';
import { escapeBytes, escapeJson, jsonContent } from '../../terminal/escape.ts';
import { jsonParts } from '../../terminal/message-parts.ts';

/** An event that is a message. */
export type MessageEvent = Extract<RoomEvent, { readonly missed?: undefined; readonly recovered?: undefined }>;

/** As a line of JSON. */
export function formatJson(room: string, { message, position, time }: MessageEvent): string {
  const fields = {
    room,
    // Of one that is not stored, when it came.
    time: isoTime(time ?? Date.now()),
    ...(position !== undefined && { position }),
    ...jsonParts(message),
    bytes: message.size,
    ...jsonContent(message.bytes),
  };
  return `${escapeJson(JSON.stringify(fields))}\n`;
}

/** As a line for people: nothing in it controls the terminal. */
export function formatLine({ message }: MessageEvent): string {
  return `${escapeBytes(message.bytes)}\n`;
}

/** As a frame. One that the framing cannot express is printed as it is, with a newline. @param unframed is called for it */
export function formatFrame({ message }: MessageEvent, framing: Framing, unframed: () => void): Uint8Array {
  try {
    return encode(framing, message);
  } catch (error) {
    if (!(error instanceof YodelError)) throw error;
    unframed();
    return Buffer.concat([message.bytes, Buffer.from('\n')]);
  }
}
