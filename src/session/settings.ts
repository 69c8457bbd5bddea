/** The settings that all sessions of a server share. */

import type { Clock } from '../clock.ts';
import type { AnyCodec } from '../codec/codec.ts';
import type { DecoderOptions } from '../framing/framing.ts';
import type { Protocol } from '../framing/protocol.ts';
import type { SessionLimits } from '../options.ts';
import type { Correlate } from '../requests/correlation.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { ErrorReply } from './error-reply.ts';
import type { HandlerCallbacks } from './handler.ts';
import type { SessionJournal } from './journaling.ts';
import type { SessionRooms } from './membership.ts';
import type { MemoryLimit } from './memory-limit.ts';
import type { Session, SessionServer } from './public-session.ts';

/** Immutable: a reload creates new settings for new sessions. */
export interface SessionSettings {
  /** The framings, where the connection has none of its own. */
  readonly protocol: Protocol;
  /** Shared by the decoders of all sessions; a copy for each would cost 130 bytes. */
  readonly decoderOptions: DecoderOptions;
  /** Its callbacks get messages, also with a codec; see {@link valueHandler}. */
  readonly handler: HandlerCallbacks;
  /** Encodes what handlers send by themselves, and error replies. Undefined: they send messages. */
  readonly codec: AnyCodec | undefined;
  /** See {@link ErrorForm}. */
  readonly errorReply: ErrorReply | undefined;
  /** How replies to the requests of sessions are found. Undefined: by order. */
  // biome-ignore lint/suspicious/noExplicitAny: the values are whatever the codec makes of them
  readonly correlate: Correlate<any> | undefined;
  /** Creates the data of a session. Undefined: an empty object. */
  readonly data: ((session: Session) => unknown) | undefined;
  readonly limits: SessionLimits;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly memoryLimit: MemoryLimit;
  /** Records messages before they are handled. */
  readonly journal: SessionJournal | undefined;
  readonly rooms: SessionRooms;
  readonly server: SessionServer;
  /** Its first element is the id of the session whose handler is called at the moment; 0 for none. A watchdog reads it. */
  readonly running: Int32Array;
}
