/** Colours, where they are wanted: on a terminal, without NO_COLOR. */
import { styleText } from 'node:util';

/** Puts a colour around text, or leaves it as it is. */
export type Paint = (style: 'dim' | 'cyan' | 'green' | 'yellow' | 'red' | 'bold', text: string) => string;

/** Whether a stream should get colours: https://no-color.org, and terminals that cannot (TERM=dumb). */
export function wantsColor(stream: { isTTY?: boolean }): boolean {
  const { NO_COLOR, TERM } = process.env;
  return stream.isTTY === true && !NO_COLOR && TERM !== 'dumb';
}

/** A {@link Paint} that paints, or one that does not. */
export function paintFor(color: boolean): Paint {
  // The caller has decided; styleText would look at stdout again.
  return color ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}
