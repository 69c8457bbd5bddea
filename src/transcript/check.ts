import { setTimeout as pause } from 'node:timers/promises';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import { type ConnectionOptions, Connections } from './connections.ts';
import { differenceOf, namesInMessage, partsOf } from './message-line.ts';
import { refuseSteps, refuseUnplayable } from './playable.ts';
import type { Player } from './player.ts';
import type { Ending, MessageStep, Transcript } from './transcript.ts';
import { Values } from './values.ts';
import { changeValues, stepsIn, type WalkedStep, walked } from './walk.ts';

/** Options of {@link check}. Times are milliseconds. */
export interface CheckOptions extends ConnectionOptions {
  /** Time limit for each expected message, until a `@timeout` changes it. Default 5000. */
  readonly timeoutMs?: number | undefined;
}

/** A place where the server differed from the transcript. */
export interface Difference {
  /** The line that differs; for an unexpected message at the end, the last line of its client. */
  readonly line: number;
  readonly client: string;
  /** The expected line; undefined when nothing was expected. */
  readonly expected: string | undefined;
  /** The payload of the message received instead; undefined when there was none. */
  readonly actual: Uint8Array | undefined;
  /** The whole message, with its header. */
  readonly received?: Message | undefined;
  /** In words, such as `no message within 5000 ms`. */
  readonly reason: string;
  /** The line was skipped because an earlier one failed. */
  readonly skipped?: boolean | undefined;
}

/** The result of {@link check}. */
export interface CheckResult {
  readonly transcript: Transcript;
  readonly differences: readonly Difference[];
  /** The number of expected messages. */
  readonly expected: number;
  readonly elapsedMs: number;
}

/**
 * Plays the clients of a transcript against a server and compares its replies. It continues after a difference, but once a
 * message is missing or a connection is lost, it skips the remaining messages of that client.
 *
 * @throws TranscriptError when a line cannot be played: a client cannot send a pattern, or a name without a value
 * @throws YodelError when it cannot connect
 */
export async function check(transcript: Transcript, options: CheckOptions = {}): Promise<CheckResult> {
  refuseUnplayable(transcript, '>');
  refuseSteps(transcript, ['any', 'unordered', 'expect-ending', 'starttls']);
  return await new Check(transcript, options).run();
}

/** How long the server may take to end its side after the last line. Messages received until then are unexpected. */
const lastMessagesMs = 1000;
/** The maximum number of unexpected messages to report at one place. */
const maxUnexpected = 100;

class Check {
  readonly #transcript: Transcript;
  readonly #values: Values;
  readonly #connections: Connections;
  /** Clients whose remaining messages are skipped. */
  readonly #lost = new Set<string>();
  readonly #differences: Difference[] = [];
  #timeoutMs: number;
  #ending: Ending;

  constructor(transcript: Transcript, options: CheckOptions) {
    this.#transcript = transcript;
    this.#values = new Values(transcript);
    this.#connections = new Connections(transcript, options);
    this.#timeoutMs = options.timeoutMs ?? 5000;
  }

  async run(): Promise<CheckResult> {
    const began = performance.now();
    const transcript = this.#transcript;
    try {
      for (const step of walked(transcript.steps)) if (!changeValues(step, this.#values)) await this.#play(step);
      for (const [client, player] of this.#connections) await this.#finish(client, player);
    } finally {
      this.#connections.abort();
    }
    const expected = [...stepsIn(transcript)].filter((step) => step.kind === 'message' && step.side === '<').length;
    const elapsedMs = performance.now() - began;
    return { transcript, differences: this.#differences, expected, elapsedMs };
  }

  async #play(step: WalkedStep): Promise<void> {
    switch (step.kind) {
      case 'message':
        return step.side === '>' ? await this.#send(step) : await this.#expect(step);
      case 'wait':
        return await pause(step.ms);
      case 'timeout':
        this.#timeoutMs = step.ms;
        return;
      case 'ending':
        this.#ending = step.ending;
        return;
      case 'connect':
        await this.#connections.of(step.client, step.tls);
        return;
      case 'close':
        (await this.#connections.of(step.client)).end();
        return;
      case 'reset':
        (await this.#connections.of(step.client)).abort();
        this.#lost.add(step.client);
        return;
      case 'silence':
        return await this.#expectSilence(step.client, step.ms, step.line);
      case 'closed':
        return await this.#expectEnd(step.client, step.line);
    }
  }

  async #send(step: MessageStep): Promise<void> {
    const { client, line } = step;
    const player = await this.#connections.of(client);
    const parts = partsOf(step, this.#values);
    if (!parts) {
      const missing = namesInMessage(step).filter((name) => !this.#values.has(name));
      return this.#unexpected(line, client, undefined, `not sent: {${missing.join('}, {')}} has no value`);
    }
    try {
      player.send({ ...parts, ending: this.#ending });
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#unexpected(line, client, undefined, `not sent: ${error.message}`);
    }
  }

  async #expect(step: MessageStep): Promise<void> {
    const { client, line } = step;
    const player = await this.#connections.of(client);
    if (this.#lost.has(client))
      return this.#differ(line, client, undefined, 'no message: the previous one is missing too', true);
    const arrived = await player.next(this.#timeoutMs);
    if ('message' in arrived) {
      const difference = differenceOf(step, arrived.message, this.#values);
      if (difference !== undefined) this.#differ(line, client, arrived.message, difference);
      return;
    }
    this.#lost.add(client);
    const reasons = {
      timeout: `no message within ${this.#timeoutMs} ms`,
      ended: 'the server ended the connection',
      broken: `the connection broke: ${arrived.reason}`,
    };
    this.#differ(line, client, undefined, reasons[arrived.absent]);
  }

  async #expectSilence(client: string, ms: number, line: number): Promise<void> {
    const arrived = await (await this.#connections.of(client)).next(ms);
    if ('message' in arrived)
      this.#unexpected(line, client, arrived.message, `a message where ${ms} ms of silence was expected`);
    else if (arrived.absent === 'broken') this.#reportBroken(line, client, arrived.reason);
  }

  async #expectEnd(client: string, line: number): Promise<void> {
    const player = await this.#connections.of(client);
    const until = performance.now() + this.#timeoutMs;
    for (let count = 0; ; count++) {
      const arrived = await player.next(until - performance.now());
      if ('message' in arrived && count < maxUnexpected && performance.now() < until)
        this.#unexpected(
          line,
          client,
          arrived.message,
          'a message where the server was expected to end the connection',
        );
      else if ('message' in arrived || arrived.absent === 'timeout')
        return this.#unexpected(
          line,
          client,
          undefined,
          `the server did not end the connection within ${this.#timeoutMs} ms`,
        );
      else if (arrived.absent === 'broken') return this.#reportBroken(line, client, arrived.reason);
      else return;
    }
  }

  #reportBroken(line: number, client: string, reason: string | undefined): void {
    this.#lost.add(client);
    this.#unexpected(line, client, undefined, `the connection broke: ${reason}`);
  }

  /** After the last line, everything that the server still sends is unexpected. */
  async #finish(client: string, player: Player): Promise<void> {
    const last = [...stepsIn(this.#transcript)].findLast((step) => 'client' in step && step.client === client);
    const line = last?.line ?? 1;
    const { messages, broken } = await player.finish(lastMessagesMs);
    for (const { message } of messages.slice(0, maxUnexpected)) {
      this.#unexpected(line, client, message, 'an unexpected message');
    }
    if (messages.length > maxUnexpected)
      this.#unexpected(line, client, undefined, `${messages.length - maxUnexpected} more unexpected messages`);
    if (broken !== undefined && !this.#lost.has(client)) this.#reportBroken(line, client, broken);
  }

  #differ(line: number, client: string, received: Message | undefined, reason: string, skipped = false): void {
    this.#differences.push({
      line,
      client,
      expected: this.#transcript.lines[line - 1],
      actual: received?.bytes,
      received,
      reason,
      ...(skipped ? { skipped } : {}),
    });
  }

  #unexpected(line: number, client: string, received: Message | undefined, reason: string): void {
    this.#differences.push({ line, client, expected: undefined, actual: received?.bytes, received, reason });
  }
}
