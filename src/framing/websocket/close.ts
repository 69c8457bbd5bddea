/** The payload of a close frame (RFC 6455, section 7): a code and a reason. */
import { isUtf8 } from 'node:buffer';

/** Why a connection ends. */
export interface CloseReason {
  /** 1005 if the frame has none. */
  readonly code: number;
  readonly text: string;
}

/** The code of a close frame without a code. */
export const noCode = 1005;
/** The longest reason, in bytes. */
const maxReasonSize = 123;

/** Reads the payload of a close frame. Returns what is wrong with it, if anything. */
export function closeReason(payload: Buffer): CloseReason | string {
  if (payload.length === 0) return { code: noCode, text: '' };
  if (payload.length === 1) return 'a close frame has 1 byte';
  const code = payload.readUInt16BE(0);
  if (!mayBeSent(code)) return `the close code ${code} must not be sent`;
  const text = payload.subarray(2);
  return isUtf8(text) ? { code, text: text.toString() } : 'the reason of a close frame is not UTF-8';
}

/** Codes that a peer may send: those registered, and those for libraries and applications (section 7.4.2). */
function mayBeSent(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== noCode && code !== 1006;
}

/** The payload of a close frame. Nothing for {@link noCode}. The reason is cut to its maximum, at a character. */
export function closePayload(code: number, reason: string): Buffer {
  if (code === noCode) return Buffer.alloc(0);
  const payload = Buffer.alloc(2 + maxReasonSize);
  payload.writeUInt16BE(code, 0);
  // `write` writes no part of a character.
  return payload.subarray(0, 2 + payload.write(reason, 2));
}
