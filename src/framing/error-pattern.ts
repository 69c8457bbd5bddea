/** Recognises replies that report an error, by the pattern of their protocol. */
import { isUtf8 } from 'node:buffer';
import type { Message } from './message.ts';
import type { Protocol } from './protocol.ts';

/** How yodel's own server reports an error where the protocol has no way of its own. */
const ownErrors = /^error:/;

/** What of a protocol says which replies report errors. */
export type ErrorRules = Pick<Protocol, 'name' | 'errorPattern' | 'errorSubject'>;

/**
 * Whether a reply reports an error. Without a pattern, a protocol with a name has no errors that could be recognised, and
 * other replies are errors if they begin with `error:`.
 *
 * The pattern sees each byte as one character (Latin-1). One that names characters beyond that sees UTF-8 as well.
 */
export function isErrorReply({ name, errorPattern, errorSubject }: ErrorRules, message: Message): boolean {
  const pattern = errorPattern ?? (name === undefined ? ownErrors : undefined);
  if (!pattern || pattern === noErrors) return false;
  const { bytes } = message;
  const subject = errorSubject === 'message' ? Buffer.concat([message.header, bytes]) : asBuffer(bytes);
  return (
    finds(pattern, subject.toString('latin1')) ||
    (isWide(pattern) && isUtf8(subject) && finds(pattern, subject.toString()))
  );
}

/** Instead of a pattern: no reply is an error. */
export const noErrors: RegExp = /(?!)/;

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** As `test`, but from the beginning also with the flags `g` and `y`. */
function finds(pattern: RegExp, text: string): boolean {
  pattern.lastIndex = 0;
  return pattern.test(text);
}

/** Whether the pattern may name characters that are several bytes. */
function isWide({ source }: RegExp): boolean {
  return /[^\0-\x7f]|\\[upP]/.test(source);
}
