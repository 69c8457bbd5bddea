import type { AnyCodec } from '../../codec/codec.ts';
import { encodeValue } from '../../codec/values.ts';
import type { YodelError } from '../../errors.ts';
import type { Batch, Message } from '../../framing/message.ts';
import type { Session } from '../public-session.ts';

/** A session that is sent values. */
export interface ValueSession extends Pick<Session, 'undelivered'> {
  sendEncoded(message: string | Uint8Array | Message | Batch, to?: Message): boolean | YodelError;
}

/** See `Session.send`: what cannot be encoded is the failure of this delivery only. */
export function sendValue(
  session: ValueSession,
  codec: AnyCodec,
  value: unknown,
  to: Message | undefined,
): boolean | YodelError {
  let payload: string | Uint8Array | Message | Batch;
  try {
    payload = encodeValue(codec, value);
  } catch (thrown) {
    const error = thrown as YodelError;
    session.undelivered(error);
    return error;
  }
  return session.sendEncoded(payload, to);
}
