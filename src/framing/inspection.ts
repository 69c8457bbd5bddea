/** How messages are printed by `console.log` and the like, on Node.js and Bun. */
import type { MessageKind } from './message-parts.ts';

/** The method that `console.log` calls. */
export const inspect: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

/** At most this much of the payload, and of the header, is printed. */
const longest = 200;

/** The parts that are printed. */
interface Parts {
  readonly text: string;
  readonly header: Uint8Array;
  readonly kind: MessageKind | undefined;
}

/** `Message "hello"`, or with a header and kind: `Message header 00 04, binary, "hello"`. */
export function inspectionOf({ text, header, kind }: Parts): string {
  const shown = JSON.stringify(text.slice(0, longest)) + (text.length > longest ? '...' : '');
  const hex = Buffer.from(header.subarray(0, longest))
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
  const parts = [hex && `header ${hex}${header.length > longest ? '...' : ''}`, kind, shown];
  return `Message ${parts.filter(Boolean).join(', ')}`;
}
