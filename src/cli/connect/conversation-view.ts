/** How the messages of a conversation by hand are shown. */

import { isUtf8 } from 'node:buffer';
import { hexDump } from '../../format/hex-dump.ts';
import { escapeBytes } from '../../terminal/escape.ts';
import type { Paint } from '../../terminal/style.ts';
import { showableText } from '../../terminal/text.ts';

/** What can be switched while it runs. */
export interface ViewSettings {
  /** As a hex dump, with what frames a message. */
  hex: boolean;
  /** With the time of day. */
  timestamps: boolean;
  /** What the peer sends as it is, not made harmless. */
  raw: boolean;
}

/** A message as it is to be shown. */
export interface Shown {
  /** The message's own bytes. */
  readonly bytes: Uint8Array;
  /** The message as it stands on the wire. */
  readonly frame: Uint8Array;
  /** How long a reply took, in milliseconds. */
  readonly roundTrip?: number | undefined;
}

/** Makes lines for a screen of messages. */
export class ConversationView {
  readonly settings: ViewSettings;
  readonly #paint: Paint;
  readonly #columns: () => number;

  /** @param columns how wide the screen is at the moment */
  constructor(settings: ViewSettings, paint: Paint, columns: () => number) {
    this.settings = { ...settings };
    this.#paint = paint;
    this.#columns = columns;
  }

  /** What was sent. */
  sent(shown: Shown): string {
    return this.#show(this.#paint('cyan', '>'), shown, showableBytes);
  }

  /** What came. */
  received(shown: Shown): string {
    return this.#show(this.#paint('green', '<'), shown, this.settings.raw ? this.#asItIs : showableBytes);
  }

  #show(mark: string, { bytes, frame, roundTrip }: Shown, textOf: (bytes: Uint8Array) => string): string {
    const { hex, timestamps } = this.settings;
    const time = timestamps ? `${this.#paint('dim', timeOfDay(new Date()))} ` : '';
    const took = roundTrip === undefined ? '' : this.#paint('dim', `  ${formatMilliseconds(roundTrip)}`);
    if (!hex) return `${time}${mark} ${textOf(bytes)}${took}`;
    return `${time}${mark} ${this.#paint('dim', `${frame.length} B`)}${took}\n${hexDump(frame, this.#columns())}`;
  }

  /** Colours that the peer has switched on must not go on behind its message. */
  readonly #asItIs = (bytes: Uint8Array): string => `${Buffer.from(bytes).toString()}\x1b[m`;
}

/** Bytes as harmless text, in which joined emoji stay whole. */
function showableBytes(bytes: Uint8Array): string {
  return isUtf8(bytes) ? showableText(Buffer.from(bytes).toString()) : escapeBytes(bytes);
}

/** `0.61 ms`, `12 ms`. */
export function formatMilliseconds(time: number): string {
  return `${time < 10 ? time.toFixed(2) : time.toFixed(0)} ms`;
}

function timeOfDay(date: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}
