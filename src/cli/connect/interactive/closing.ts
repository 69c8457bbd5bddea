/**
 * The end of a conversation, after Ctrl-D: this side ends, replies that are due may still arrive, and the exit status says whether
 * they did.
 */
import { formatPlural } from '../../../format/figures.ts';
import { formatQuantity } from '../../../format/units.ts';
import { exitStatus } from '../../fail.ts';

/** When no reply is due: how long the server may be silent before it is disconnected, in milliseconds. */
const trailingMs = 1000;
/** Replies that arrive this soon need no notice that they are waited for, in milliseconds. */
const noticeAfterMs = 250;
/** A server that ends this soon needs no notice that it is waited for, although no reply is due, in milliseconds. */
const trailingNoticeAfterMs = 2500;

/** What is ended, and how that is shown. */
export interface ClosingOptions {
  /** How long the server may be silent while replies are due, in milliseconds. 0: no limit. */
  readonly waitMs: number;
  /** The number of messages without a reply. */
  readonly due: () => number;
  readonly notice: (text: string) => void;
  /** Closes the connection at once. */
  readonly abort: () => void;
}

/** Waits for the server to end. */
export class Closing {
  readonly #options: ClosingOptions;
  readonly #noticeTimer: NodeJS.Timeout;
  readonly #trailingTimer: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  /** Set when it gave up waiting. */
  #hasGivenUp = false;

  constructor(options: ClosingOptions) {
    this.#options = options;
    this.#noticeTimer = setTimeout(() => this.#tell(), noticeAfterMs);
    this.#trailingTimer = setTimeout(() => this.#tellOfRest(), trailingNoticeAfterMs);
    this.#wait();
  }

  /** Something was received: the server is not silent. */
  received(): void {
    this.#wait();
  }

  /** The connection has ended. Returns the exit status. @param missing the number of messages that got no reply */
  ended(missing: number): number {
    this.stop();
    if (missing === 0) return exitStatus.good;
    const { notice, waitMs } = this.#options;
    const who = `${formatPlural(missing, 'message')} got no reply`;
    notice(
      this.#hasGivenUp
        ? `${who} within ${formatQuantity('duration', waitMs)} (see --wait)`
        : `${who} before the server ended the connection`,
    );
    return this.#hasGivenUp ? exitStatus.timeout : exitStatus.unmet;
  }

  /** Clears the timers. */
  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#noticeTimer);
    clearTimeout(this.#trailingTimer);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const ms = this.#options.due() === 0 ? trailingMs : this.#options.waitMs;
    if (ms > 0) this.#timer = setTimeout(() => this.#giveUp(), ms);
  }

  #giveUp(): void {
    this.#hasGivenUp = true;
    this.#options.abort();
  }

  #tell(): void {
    const due = this.#options.due();
    if (due > 0) this.#options.notice(`waiting for ${formatPlural(due, 'reply', 'replies')}; Ctrl-C stops`);
  }

  #tellOfRest(): void {
    if (this.#options.due() === 0) this.#options.notice('the server is still sending; Ctrl-C stops');
  }
}
