/** Counts what a server sends: greetings, replies to messages, and replies that report errors. */
import { formatPlural } from '../../format/figures.ts';
import { type ErrorRules, isErrorReply } from '../../framing/error-pattern.ts';
import type { Message } from '../../framing/message.ts';
import { escapeBytes } from '../../terminal/escape.ts';
import { UnansweredMessages } from './unanswered.ts';

/** How many errors are named, and how many bytes of each are shown. */
const maxNamed = 10;
const maxShown = 120;

/** The replies of one connection. They belong to messages in order: the first to the first. */
export class Replies {
  readonly unanswered = new UnansweredMessages();
  readonly #rules: ErrorRules;
  #greetingsDue: number;
  #sent = 0;
  #count = 0;
  #errors = 0;
  /** The numbers of the replies with each text, in the order of their texts. */
  readonly #named = new Map<string, string[]>();
  /** How many of them there are. */
  #labels = 0;

  /** @param greeting the number of messages that the server sends before any reply */
  constructor({ greeting = 0, ...rules }: ErrorRules & { readonly greeting?: number | undefined }) {
    this.#rules = rules;
    this.#greetingsDue = greeting;
  }

  /** The number of messages that the server still has to send before any reply. */
  get greetingsDue(): number {
    return this.#greetingsDue;
  }

  /** Messages sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Messages with a reply. A message received while no reply is pending is not a reply. */
  get answered(): number {
    return this.#sent - this.unanswered.count;
  }

  /** Messages received after the greetings. */
  get count(): number {
    return this.#count;
  }

  /** Greetings and replies that report errors. */
  get errors(): number {
    return this.#errors;
  }

  /** A message is sent. @returns its number, counted from 1 */
  send({ bytes }: Message): number {
    this.unanswered.add(++this.#sent, bytes);
    return this.#sent;
  }

  /** A message is received. @returns the round-trip time in milliseconds, if it is the reply to a message */
  receive(message: Message): number | undefined {
    const isGreeting = this.#greetingsDue > 0;
    if (isGreeting) this.#greetingsDue--;
    else this.#count++;
    if (isErrorReply(this.#rules, message)) this.#addError(message, isGreeting);
    return isGreeting ? undefined : this.unanswered.answer();
  }

  #addError({ bytes }: Message, isGreeting: boolean): void {
    this.#errors++;
    if (this.#labels >= maxNamed) return;
    const text = withoutLineEnd(bytes);
    const excerpt = `${escapeBytes(text.subarray(0, maxShown))}${text.length > maxShown ? '…' : ''}`;
    const label = isGreeting ? 'the greeting' : String(this.#count);
    this.#labels++;
    const labels = this.#named.get(excerpt);
    if (labels) labels.push(label);
    else this.#named.set(excerpt, [label]);
  }

  /** `2 of 3 messages were answered`, or `1 message was sent`. @param countsReplies whether replies are expected */
  formatProgress(countsReplies: boolean): string {
    const sent = this.#sent === 0 ? 'no message' : formatPlural(this.#sent, 'message');
    if (!countsReplies || this.#sent === 0) return `${sent} ${this.#sent > 1 ? 'were' : 'was'} sent`;
    return `${this.answered} of ${sent} ${this.#sent > 1 ? 'were' : 'was'} answered`;
  }

  /** `3 of 5 replies report errors: 1, 2: -ERR no such command, 4: -ERR syntax` */
  formatErrors(): string {
    const replies = `${this.#count} ${this.#count === 1 ? 'reply' : 'replies'}`;
    const what = `${this.#errors} of ${replies} ${this.#errors === 1 ? 'reports an error' : 'report errors'}`;
    const named = [...this.#named].map(([excerpt, labels]) => `${labels.join(', ')}: ${excerpt}`);
    const others = this.#errors > this.#labels ? `, and ${this.#errors - this.#labels} more` : '';
    return `${what}: ${named.join(', ')}${others}`;
  }

  /** What is missing. @param when `within 5000 ms` @param due the number of replies that were requested, if it was */
  formatMissing(when: string, due: number | undefined): string {
    const { count } = this.unanswered;
    if (this.#greetingsDue > 0) return `the greeting of the server did not arrive ${when} (see --greeting)`;
    if (due !== undefined && this.#count < due) return `${this.#count} of ${due} replies arrived ${when}`;
    return `${count} of ${this.#sent} messages ${count === 1 ? 'was' : 'were'} not answered ${when}: ${this.unanswered.format()}`;
  }
}

/** Some framings keep the line end in the payload. */
function withoutLineEnd(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== 0x0a) return bytes;
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1);
}
