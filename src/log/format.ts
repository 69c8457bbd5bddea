/** What a format of the log has to offer: a line, without its newline, for each event. */
import type { Address } from '../address.ts';
import type { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { BusEvent, FaultReport, SessionView } from '../telemetry/telemetry.ts';
import type { LeftOut } from './gate.ts';
import type { Drop } from './line-writer.ts';

/** What a line is about: a session, or what is left of one that has ended, or the host of peers. */
export type Source = Pick<SessionView, 'id' | 'peer'> | string;

/** Whether a message came from the client or goes to it, where a handler passes messages on. */
export type Direction = 'request' | 'reply' | undefined;

/** A format of the log. A line that it does not have is not logged. */
export interface LineFormat {
  listening?(address: Address): string;
  draining?(sessions: number): string;
  refused(peer: Address | undefined, error: YodelError): string;
  left(peer: Address, error: YodelError): string;
  opened(session: SessionView): string;
  discarded(session: SessionView, error: YodelError): string;
  undelivered(session: SessionView, error: YodelError, messages: number): string;
  roomJoined(session: SessionView, room: string): string;
  roomLeft(session: SessionView, room: string): string;
  missed(session: SessionView, room: string, messages: number): string;
  bus(event: BusEvent, reason: string): string;
  handlerFailed?(session: SessionView, error: YodelError): string;
  faulted(session: SessionView, applied: FaultReport): string;
  closed(session: SessionView, error: YodelError | undefined): string;
  /** Returns a function that formats the messages of a batch, which have time, session and direction in common. */
  messages(session: SessionView, direction: Direction): (message: Message) => string;
  /** Lines that were not formatted, because there were too many of them. */
  leftOut(left: LeftOut<Source>): string;
  /** Lines that were not written. */
  dropped(drop: Drop): string;
}
