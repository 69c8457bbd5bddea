/** What a program says about a proxy, and sees of it. */
import type { Clock } from '../../clock.ts';
import type { YodelError } from '../../errors.ts';
import type { Batch } from '../../framing/message.ts';
import type { WireOptions } from '../../framing/wire.ts';
import type { Session } from '../../session/public-session.ts';
import type { TlsOptions, Transport } from '../../transport/transport.ts';

/** The two sides of a proxied conversation. */
export type ProxySide = 'client' | 'server';

/**
 * Observes everything that is forwarded in one session, in order, for example to record it. Every method is optional and
 * called synchronously before the bytes are forwarded: it must be fast and must not throw. The bytes of a batch are borrowed
 * for the call: copy what you keep.
 */
export interface ProxyObserver {
  /** The connection to the server is open. */
  connected?(): void;
  /** The client sent these messages to the server. */
  sent?(batch: Batch): void;
  /** The client received these messages from the server. */
  received?(batch: Batch): void;
  /** One side has ended. */
  ended?(side: ProxySide): void;
  /** The session is closed; no call follows. Without an error, both sides ended normally. */
  closed?(error: YodelError | undefined): void;
}

/**
 * Options of {@link proxy}. Times are milliseconds, sizes are bytes. `framing`, `replyFraming` and `protocol` are those of the
 * server behind the proxy; default: as in front of it.
 */
export interface ProxyOptions extends Omit<WireOptions, 'encoding'> {
  /** Which certificates to trust at a `tls://` address. Default: those that the runtime trusts, for the address's host. */
  readonly tls?: TlsOptions | undefined;
  /** How long connecting may take; for a program (`exec:`) from its turn to be started on. Default 10 s. */
  readonly connectTimeout?: number | undefined;
  /** How long the server may take nothing of what waits for it, before the session is aborted. Default 10 s; 0: for ever. */
  readonly drainTimeout?: number | undefined;
  /** How long the server may send nothing after the client has ended, before the session is aborted. Default 300 s. */
  readonly endTimeout?: number | undefined;
  /** The longest message that the server may send. Default 16 MiB. */
  readonly maxMessageLength?: number | undefined;
  /** Called when a session opens, before anything is forwarded: returns its observer, if any. */
  readonly observe?: ((session: Session) => ProxyObserver | undefined) | undefined;
  /** For tests: the time of its time-outs, such as `fakeClock()` of `yodel/testing`. Default: real time. */
  readonly clock?: Clock | undefined;
  /** For tests: what connects to the server, such as `memoryTransport()` of `yodel/testing`. Default: sockets. */
  readonly transport?: Transport | undefined;
}
