/** What `yodel connect` was asked to do. */
import type { Address } from '../../address.ts';
import type { Framing } from '../../framing/framing.ts';
import type { TlsOptions } from '../../transport/transport.ts';
import type { BeginRecording } from './record.ts';

/** What both ways of connecting need. Times are milliseconds. */
export interface ConnectSettings {
  readonly address: Address;
  readonly tls: TlsOptions;
  readonly framing: Framing;
  /** Messages to send before ending; Infinity for all. */
  readonly count: number;
  readonly connectTimeoutMs: number;
  readonly waitMs: number;
  /** Whether the server is told of the end of input. */
  readonly shutdown: boolean;
  /** Whether a lost connection is made again. By hand only. */
  readonly reconnect: boolean;
  /** Writes the conversation as a transcript, if it is to be written. */
  readonly beginRecording: BeginRecording | undefined;
  readonly byHand: ByHandSettings;
}

/** How a conversation by hand begins; all of it can be switched by its commands. */
export interface ByHandSettings {
  readonly hex: boolean;
  readonly timestamps: boolean;
  readonly raw: boolean;
  readonly escapes: boolean;
}
