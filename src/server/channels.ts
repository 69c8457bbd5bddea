/**
 * The events of servers as channels of `node:diagnostics_channel`, for tools that know nothing of the program: tracers and monitors
 * subscribe to a channel by its name, at any time.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import type { Address, SocketAddress } from '../address.ts';
import type { YodelError } from '../errors.ts';
import type { Batch } from '../framing/message.ts';
import type { SessionServer } from '../session/public-session.ts';
import { events } from '../telemetry/events.ts';
import type {
  BusEvent,
  EventChannels,
  FaultReport,
  PublishedMessage,
  SessionView,
  Subscriber,
} from '../telemetry/telemetry.ts';

/** The server that an event is of. */
export interface PublishingServer extends SessionServer {
  readonly addresses: readonly SocketAddress[];
}

interface OfServer {
  readonly server: PublishingServer;
}

interface OfSession extends OfServer {
  readonly session: SessionView;
}

interface Failed {
  readonly error: YodelError;
}

/**
 * What is published on each channel: what {@link Subscriber} is called with, by name, and the server. Memory that is borrowed for the
 * call of a subscriber is so here, too.
 *
 * ```ts
 * import { subscribe } from 'node:diagnostics_channel';
 *
 * subscribe('yodel:session:closed', (message) => {
 *   const { session, error } = message as ChannelMessages['yodel:session:closed'];
 * });
 * ```
 */
export interface ChannelMessages {
  readonly 'yodel:server:listening': OfServer & { readonly address: Address };
  readonly 'yodel:server:draining': OfServer & { readonly sessions: number };
  readonly 'yodel:server:bus': OfServer & { readonly event: BusEvent; readonly reason: string };
  readonly 'yodel:server:stopFailed': OfServer & Failed;
  readonly 'yodel:connection:refused': OfServer & Failed & { readonly peer: Address | undefined };
  readonly 'yodel:connection:left': OfServer & Failed & { readonly peer: Address };
  readonly 'yodel:session:opened': OfSession;
  readonly 'yodel:session:received': OfSession & { readonly batch: Batch };
  readonly 'yodel:session:relayed': OfSession & { readonly batch: Batch };
  readonly 'yodel:session:faulted': OfSession & { readonly applied: FaultReport };
  readonly 'yodel:session:sent': OfSession & { readonly bytes: Uint8Array; readonly isShared: boolean };
  readonly 'yodel:session:inputEnded': OfSession;
  readonly 'yodel:session:handled': OfSession & { readonly messages: number; readonly durationMs: number };
  readonly 'yodel:session:discarded': OfSession & Failed;
  readonly 'yodel:session:undelivered': OfSession & Failed & { readonly messages: number };
  readonly 'yodel:session:handlerFailed': OfSession & Failed;
  readonly 'yodel:session:closed': OfSession & { readonly error: YodelError | undefined };
  readonly 'yodel:room:joined': OfSession & { readonly room: string };
  readonly 'yodel:room:left': OfSession & { readonly room: string };
  readonly 'yodel:room:missed': OfSession & { readonly room: string; readonly messages: number };
  readonly 'yodel:room:published': OfServer & {
    readonly room: string;
    readonly messages: readonly PublishedMessage[];
    readonly members: number;
  };
  readonly 'yodel:room:lost': OfServer & { readonly room: string; readonly messages: number; readonly members: number };
}

/** Each name as that of a module, a subject and an event, as Node.js and undici have it. */
const names = {
  listening: 'yodel:server:listening',
  draining: 'yodel:server:draining',
  refused: 'yodel:connection:refused',
  left: 'yodel:connection:left',
  opened: 'yodel:session:opened',
  received: 'yodel:session:received',
  relayed: 'yodel:session:relayed',
  faulted: 'yodel:session:faulted',
  sent: 'yodel:session:sent',
  inputEnded: 'yodel:session:inputEnded',
  handled: 'yodel:session:handled',
  discarded: 'yodel:session:discarded',
  undelivered: 'yodel:session:undelivered',
  roomJoined: 'yodel:room:joined',
  roomLeft: 'yodel:room:left',
  published: 'yodel:room:published',
  missed: 'yodel:room:missed',
  roomLost: 'yodel:room:lost',
  bus: 'yodel:server:bus',
  handlerFailed: 'yodel:session:handlerFailed',
  stopFailed: 'yodel:server:stopFailed',
  closed: 'yodel:session:closed',
} as const satisfies Record<keyof Subscriber, keyof ChannelMessages>;

/** Kept, because a channel without subscribers may be collected, and what subscribes later would get another one. */
const channels = Object.fromEntries(
  Object.entries(names).map(([event, name]) => [event, channel(name)]),
) as unknown as Readonly<Record<keyof Subscriber, Channel>>;

/** The channels, for the events of one server. */
export function channelsOf(server: PublishingServer): EventChannels {
  return {
    channels,
    publish(event, details) {
      const named = events[event].map((name, index) => [name, details[index]]);
      channels[event].publish({ server, ...Object.fromEntries(named) });
    },
  };
}
