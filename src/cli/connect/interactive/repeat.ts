/** `:repeat`: sends a text several times. */
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { parseQuantity } from '../../../format/units.ts';
import { messagesPerTurn } from './line-queue.ts';

/** What to repeat. */
export interface RepeatRequest {
  readonly times: number;
  /** The pause after each message, in milliseconds. */
  readonly intervalMs: number;
  readonly text: string;
}

/** Parses `N [INTERVAL] TEXT`; undefined for anything else. */
export function parseRepeat(rest: string): RepeatRequest | undefined {
  const [, count = '', interval = '0', text] =
    /^(\d+k?)\s+(?:(\d+(?:\.\d+)?(?:ms|s|m|min|h))\s+)?(.+)$/s.exec(rest) ?? [];
  const times = parseQuantity('count', count);
  const intervalMs = parseQuantity('duration', interval);
  if (!times || intervalMs === undefined || text === undefined) return undefined;
  return { times, intervalMs, text };
}

/** The callbacks of a repeat. */
export interface RepeatEvents {
  /** Resolves when a message can be sent. */
  readonly ready: () => Promise<void>;
  /** Sends the text. Returns whether that was possible. */
  readonly send: (text: string) => boolean;
  /** Called once, when all messages were sent, it was stopped, or the text cannot be sent. */
  readonly ended: (sent: number) => void;
}

/** Sends a text repeatedly until it is done or stopped. */
export class Repeat {
  readonly #request: RepeatRequest;
  readonly #events: RepeatEvents;
  readonly #stopped = Promise.withResolvers<void>();
  #isStopped = false;
  #sent = 0;

  constructor(request: RepeatRequest, events: RepeatEvents) {
    this.#request = request;
    this.#events = events;
  }

  /** Stops before the next message. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopped.resolve();
    this.#events.ended(this.#sent);
  }

  /** Resolves when the repeat has ended. */
  async run(): Promise<void> {
    const { times, intervalMs, text } = this.#request;
    while (this.#sent < times) {
      await Promise.race([this.#events.ready(), this.#stopped.promise]);
      if (this.#isStopped || !this.#events.send(text)) break;
      this.#sent++;
      if (this.#sent < times && intervalMs > 0) await this.#pause(intervalMs);
      else if (this.#sent % messagesPerTurn === 0) await endOfTurn();
      if (this.#isStopped) break;
    }
    this.stop();
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([promise, this.#stopped.promise]);
    clearTimeout(timer);
  }
}
