/** Counts the messages of a conversation and measures round-trip times. */
import type { Address } from '../../../address.ts';
import { formatPlural } from '../../../format/figures.ts';
import type { Protocol } from '../../../framing/protocol.ts';
import { wireText } from '../../../framing/wire.ts';
import { Histogram } from '../../../load/histogram.ts';
import { Queue } from '../../../queue.ts';
import { formatMilliseconds } from './display.ts';

/** The traffic of a conversation, over all its connections. The first reply belongs to the oldest unanswered message. */
export class Traffic {
  readonly #sent = { messages: 0, bytes: 0 };
  readonly #received = { messages: 0, bytes: 0 };
  readonly #roundTrips = new Histogram();
  /** When each unanswered message was sent, oldest first. */
  readonly #sentAt = new Queue<number>();
  #connections = 0;
  #connectedAt: number | undefined;

  get isConnected(): boolean {
    return this.#connectedAt !== undefined;
  }

  /** Number of messages sent. */
  get messagesSent(): number {
    return this.#sent.messages;
  }

  /** Number of messages sent that have no reply. */
  get unanswered(): number {
    return this.#sentAt.length;
  }

  /** Counts a connection. Returns how many there were. */
  connected(): number {
    this.#connectedAt = performance.now();
    return ++this.#connections;
  }

  /** Returns the number of messages that will get no reply. */
  disconnected(): number {
    this.#connectedAt = undefined;
    return this.#sentAt.takeAll().length;
  }

  messageSent(bytes: number): void {
    this.#sent.messages++;
    this.#sent.bytes += bytes;
    this.#sentAt.push(performance.now());
  }

  /** What was sent so far was answered by a prompt. */
  prompted(): void {
    this.#sentAt.takeAll();
  }

  /**
   * Returns the round-trip time in milliseconds; undefined when no message was unanswered.
   *
   * @param isReply false for a prompt that precedes the unanswered messages
   */
  messageReceived(bytes: number, isReply: boolean): number | undefined {
    this.#received.messages++;
    this.#received.bytes += bytes;
    if (!isReply) return undefined;
    const sentAt = this.#sentAt.shift();
    if (sentAt === undefined) return undefined;
    const roundTrip = performance.now() - sentAt;
    this.#roundTrips.record(roundTrip);
    return roundTrip;
  }

  /** The lines of `:stats`, not escaped. @param pendingLines lines that were entered but not sent */
  format(address: Address, protocol: Protocol, pendingLines: number): string[] {
    const since = this.#connectedAt;
    const state =
      since === undefined ? 'not connected' : `connected for ${((performance.now() - since) / 1000).toFixed(1)} s`;
    const unanswered = this.unanswered > 0 ? `, ${this.unanswered} without a reply` : '';
    return [
      `${address}, ${wireText(protocol)}: ${state}, ${formatPlural(this.#connections, 'connection')} so far`,
      `sent      ${formatCounts(this.#sent)}${unanswered}`,
      `received  ${formatCounts(this.#received)}`,
      ...(this.#roundTrips.count > 0 ? [`replies   ${formatSpread(this.#roundTrips)}`] : []),
      ...(pendingLines > 0 ? [`pending   ${formatPlural(pendingLines, 'line')}`] : []),
    ];
  }
}

function formatCounts({ messages, bytes }: { readonly messages: number; readonly bytes: number }): string {
  return `${formatPlural(messages, 'message')}, ${bytes} B`;
}

function formatSpread(times: Histogram): string {
  const spread = [50, 90, 99].map((percent) => `p${percent} ${formatMilliseconds(times.percentile(percent))}`);
  return `${spread.join(', ')}, max ${formatMilliseconds(times.max)}`;
}
