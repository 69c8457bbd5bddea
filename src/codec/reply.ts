/** What handlers return. */
import type { Batch, Message } from '../framing/message.ts';

/**
 * A handler's reply to the same session: text, bytes, a message or a batch (whose frames are sent back byte for byte),
 * several of these in order, or nothing.
 */
export type Reply = string | Uint8Array | Message | Batch | readonly Reply[] | null | undefined | void;
