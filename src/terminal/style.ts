/** Colours, on a terminal only. */
import { styleText } from 'node:util';

/** Colours text, or returns it unchanged. */
export type Paint = (style: 'dim' | 'cyan' | 'green' | 'yellow' | 'red' | 'bold', text: string) => string;

/** Whether to colour a stream: it is a terminal, TERM is not dumb, and NO_COLOR is not set (https://no-color.org). */
export function wantsColor(stream: { isTTY?: boolean }): boolean {
  const { NO_COLOR, TERM } = process.env;
  return stream.isTTY === true && !NO_COLOR && TERM !== 'dumb';
}

/** A {@link Paint} that colours, or one that does not. */
export function paintFor(color: boolean): Paint {
  // The caller has decided; by default styleText would check stdout again.
  return color ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}
