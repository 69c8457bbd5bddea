/**
 * Runs `yodel publish`. The input is read as fast as the bus takes it: after each portion it is asked whether it has.
 *
 * | The bus              | `send`                                         | `--store`                                            |
 * |----------------------|------------------------------------------------|------------------------------------------------------|
 * | is away              | waits, at most `--wait`                        | the same                                             |
 * | is lost meanwhile    | what was on its way counts as not sent; goes on | goes on, unless it is not known what is stored       |
 */
import { isUtf8 } from 'node:buffer';
import { YodelError } from '../../errors.ts';
import { formatCountOf } from '../../format/figures.ts';
import type { Message } from '../../framing/message.ts';
import type { SharedRoom } from '../../members/shared-rooms.ts';
import { isNotStored } from '../../rooms/stored/appends.ts';
import { exitStatus, report, statusOf, UsageError } from '../fail.ts';
import { type Interruption, onInterruption } from '../interruption.ts';
import { StreamedOutput } from '../journal/streamed-output.ts';
import { readMessage } from '../message-input.ts';
import type { PublishFlags } from './flags.ts';
import { portionsOfInput } from './input.ts';
import { leave, notify, type OpenedRooms, openRoomsOf } from './open.ts';

/** Ends the process. */
export async function publish(room: string, texts: readonly string[], flags: PublishFlags): Promise<void> {
  const interruption = onInterruption();
  const stop = interruption.stopped.signal;
  let opened: OpenedRooms | undefined;
  let status: number;
  try {
    if (flags.positions && !flags.store)
      throw new UsageError('--positions needs --store: only stored messages have one');
    const portions = texts.length > 0 ? given(texts, flags) : await portionsOfInput(flags, stop);
    opened = await orStopped(openRoomsOf('publish', room, flags), stop);
    status = opened ? await new Publisher(opened, room, flags, interruption).run(portions) : exitStatus.good;
  } catch (error) {
    report(error);
    status = statusOf(error);
  }
  await leave(opened?.rooms, interruption.status ?? status);
}

/** @throws UsageError */
function given(texts: readonly string[], flags: PublishFlags): Iterable<readonly (string | Uint8Array)[]> {
  const messages = texts.map((text, index) => {
    const bytes = readMessage(text, { ...flags }, index + 1);
    return !flags.hex && isUtf8(bytes) ? Buffer.from(bytes).toString() : bytes;
  });
  return [messages];
}

/** What the promise resolves to; undefined once it is stopped. */
async function orStopped<Value>(promise: Promise<Value>, stop: AbortSignal): Promise<Value | undefined> {
  const stopped = new Promise<undefined>((resolve) => {
    if (stop.aborted) resolve(undefined);
    stop.addEventListener('abort', () => resolve(undefined));
  });
  return await Promise.race([promise, stopped]);
}

/** At most so many messages are on their way at a time, so that what they take in memory stays below `busBuffer`. */
const mostAtOnce = 1000;
/** How often it is looked whether the store is there again, in milliseconds. */
const lookMs = 50;

class Publisher {
  readonly #opened: OpenedRooms;
  readonly #room: SharedRoom;
  readonly #flags: PublishFlags;
  readonly #interruption: Interruption;
  readonly #output: StreamedOutput;
  #taken = 0;
  /** Messages that the bus has not taken, or may not have. */
  #failed = 0;
  #position: string | undefined;

  constructor(opened: OpenedRooms, room: string, flags: PublishFlags, interruption: Interruption) {
    this.#opened = opened;
    this.#room = opened.rooms.room(room);
    this.#flags = flags;
    this.#interruption = interruption;
    this.#output = new StreamedOutput(interruption.stopped);
  }

  /** Resolves with the exit status. */
  async run(portions: Iterable<readonly (string | Uint8Array)[]> | AsyncIterable<readonly Message[]>): Promise<number> {
    const { store } = this.#flags;
    let failure: unknown;
    try {
      for await (const portion of portions) {
        for (let at = 0; at < portion.length && !this.#isStopped; at += mostAtOnce) {
          const messages = portion.slice(at, at + mostAtOnce);
          await this.#untilReady(messages.length);
          if (this.#isStopped) break;
          if (store) await this.#store(messages);
          else await this.#send(messages);
        }
        if (this.#isStopped) break;
      }
    } catch (error) {
      failure = error;
    }
    await this.#output.end();
    if (failure !== undefined) report(failure);
    this.#summarize();
    if (failure !== undefined) return statusOf(failure);
    return this.#failed > 0 ? exitStatus.failure : (this.#output.status ?? exitStatus.good);
  }

  get #isStopped(): boolean {
    return this.#interruption.stopped.signal.aborted;
  }

  get #isReady(): boolean {
    return this.#flags.store ? this.#opened.canStore : this.#opened.rooms.isConnected;
  }

  /** @param waiting how many messages wait. @throws YodelError `YODEL_BUS_UNAVAILABLE` after `--wait` */
  async #untilReady(waiting: number): Promise<void> {
    if (this.#isReady) return;
    const { wait } = this.#flags;
    const started = performance.now();
    while (!this.#isReady && !this.#isStopped) {
      if (wait > 0 && performance.now() - started > wait) return await this.#giveUp(waiting, wait);
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  async #giveUp(waiting: number, waited: number): Promise<void> {
    this.#failed += waiting;
    // It says why, if it knows.
    if (this.#flags.store && this.#opened.rooms.isConnected) await this.#room.read({ history: 0 });
    const what = this.#flags.store ? 'rooms cannot be stored in' : 'the bus has been away';
    throw new YodelError('YODEL_BUS_UNAVAILABLE', `${what} for ${waited / 1000} s; the rest of the input is not read`);
  }

  async #send(messages: readonly (string | Uint8Array | Message)[]): Promise<void> {
    for (const message of messages) this.#room.send(message);
    const failed = await this.#opened.rooms.flush();
    this.#taken += messages.length - failed;
    this.#failed += failed;
    if (failed > 0) notify(`${formatCountOf(failed, 'message')} may not have reached the bus`);
  }

  /**
   * Stores messages. When the bus was lost before they were sent, the rest is stored once it is back.
   *
   * @throws YodelError if one of them is not stored, or it is not known
   */
  async #store(messages: readonly (string | Uint8Array | Message)[]): Promise<void> {
    const outcomes = await Promise.allSettled(messages.map((message) => this.#room.store(message)));
    await this.#count(outcomes);
    const first = outcomes.findIndex(({ status }) => status === 'rejected');
    if (first < 0) return;
    const rest = outcomes.slice(first);
    const failures = rest.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    this.#failed += failures.length;
    // They are the last ones, so their order remains.
    if (failures.length < rest.length || !failures.every(isNotStored)) throw failures[0];
    await this.#untilReady(0);
    if (this.#isStopped) return;
    this.#failed -= failures.length;
    await this.#store(messages.slice(first));
  }

  /** Counts those that are stored, and prints their positions. */
  async #count(outcomes: readonly PromiseSettledResult<string>[]): Promise<void> {
    const positions = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    this.#taken += positions.length;
    this.#position = positions.at(-1) ?? this.#position;
    if (this.#flags.positions) await this.#output.write(positions.map((position) => `${position}\n`).join(''));
  }

  /** Says how many messages were sent, and how many not. */
  #summarize(): void {
    if (this.#flags.quiet && this.#failed === 0) return;
    const { name } = this.#room;
    const taken = formatCountOf(this.#taken, 'message');
    const room = `room ${JSON.stringify(name)}`;
    const not = this.#failed > 0 ? `; ${formatCountOf(this.#failed, 'message')} not, or it is not known` : '';
    if (this.#flags.store) {
      const last = this.#position === undefined ? '' : `, the last one at ${this.#position}`;
      return notify(`stored ${taken} in ${room}${last}${not}`);
    }
    notify(`sent ${taken} to ${room}${not}`);
  }
}
