/** What the rooms of a server have in common. */
import type { Clock } from '../clock.ts';
import type { AnyCodec } from '../codec/codec.ts';
import type { ServerLimits, SessionLimits } from '../options.ts';
import type { HandlerCallbacks } from '../session/handler.ts';
import type { RoomSession } from '../session/membership.ts';
import type { MemoryLimit } from '../session/memory-limit.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Bus } from './bus.ts';
import type { RoomStore } from './stored/store.ts';

/** What each room sees of it. */
export interface RoomContext {
  limits: Pick<ServerLimits, 'roomBuffer' | 'roomBehind' | 'roomHistory' | 'maxHistoryBytes'>;
  readonly telemetry: Telemetry;
  readonly memoryLimit: MemoryLimit;
}

/** The settings of the rooms of a server. */
export interface RoomsContext extends RoomContext {
  readonly clock: Clock;
  limits: ServerLimits;
  sessionLimits: Pick<SessionLimits, 'maxRoomsPerSession' | 'joinRate'>;
  readonly sessions: () => ReadonlySet<RoomSession>;
  /** Reaches the members in other processes. */
  readonly bus?: Bus | undefined;
  /** Keeps what rooms store. Undefined: they cannot. */
  readonly store?: RoomStore | undefined;
  /**
   * Whether what rooms are sent is published although no other process is known to follow them: for programs that last only a moment,
   * and may end before they have heard of all others. Default: no.
   */
  readonly publishesAlways?: boolean | undefined;
  /** Encodes what rooms are sent. Undefined: they are sent messages. */
  codec?: AnyCodec | undefined;
  /** What the handler makes of stored messages. */
  handler: Pick<HandlerCallbacks, 'stored'>;
}
