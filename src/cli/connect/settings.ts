/** The settings of `yodel connect`. */
import type { Address } from '../../address.ts';
import type { MessageParts } from '../../framing/message.ts';
import type { Protocol } from '../../framing/protocol.ts';
import type { TlsOptions } from '../../transport/transport.ts';
import type { BeginRecording } from './record.ts';

/** The settings of a connection, on a terminal and in a pipe. Times are milliseconds. */
export interface ConnectSettings {
  readonly address: Address;
  readonly tls: TlsOptions;
  /** The framings of both directions, if the connection has none of its own. */
  readonly protocol: Protocol;
  /** Number of messages to send before ending; Infinity for no limit. */
  readonly count: number;
  readonly connectTimeoutMs: number;
  /** Whether to tell how the connection came about. */
  readonly verbose: boolean;
  /** After the end of input: how long the server may be silent. 0: no limit. */
  readonly waitMs: number;
  /** Whether to end this side (FIN) at the end of input. */
  readonly shutdown: boolean;
  /** Whether to connect again when the connection is lost. On a terminal only. */
  readonly reconnect: boolean;
  /** What sent messages have besides their payload. */
  readonly parts: MessageParts | undefined;
  /** Starts the transcript of `--record`. */
  readonly beginRecording: BeginRecording | undefined;
  /** The initial switches of a conversation on a terminal. */
  readonly switches: Readonly<Switches>;
}

/** What commands of a conversation switch on and off. */
export interface Switches {
  /** Show messages as a hex dump, with their framing. */
  hex: boolean;
  /** Show the time of day of each message. */
  timestamps: boolean;
  /** Do not escape what the server sends. */
  raw: boolean;
  /** Interpret escapes in every line. */
  escapes: boolean;
  /** Send binary messages over WebSocket. */
  binary: boolean;
}
