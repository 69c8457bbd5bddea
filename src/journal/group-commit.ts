/**
 * Group commit: messages are collected in a group. As soon as the writer thread is idle it gets the group, and the next
 * group starts. So the disk determines the number of commits, and the load the number of messages per commit (D. DeWitt
 * et al., Implementation Techniques for Main Memory Database Systems, 1984).
 *
 *     append -> group -> [thread: commit] -> every session with a message in it continues
 *
 * Clients that wait for their replies would split into two halves that take turns, each with its own commit. So after a
 * commit, a group waits for as many messages as were in flight before, for at most a few turns of the event loop (like
 * `commit_delay` of PostgreSQL and `binlog_group_commit_sync_no_delay_count` of MySQL, but without a time to configure).
 * With 16 clients, throughput is 50 % higher.
 */
import type { YodelError } from '../errors.ts';
import { Queue } from '../queue.ts';
import { Group } from './group.ts';
import type { HistoryBatch, HistoryPlace } from './histories/table.ts';
import type { WriterOrder } from './writer.ts';

/** The interval at which a full disk or a lock is probed. */
const probeEveryMs = 500;
/** Replies are committed with the next received message, or after this time. */
const repliesWaitMs = 10;
/** A group of this size gains nothing by waiting for more. */
const enoughMessages = 256;
const enoughBytes = 131_072;
/**
 * A group is complete after this number of turns of the event loop without a new message, even if more were expected. One
 * turn is too few even for a client that sends its next message at once; between two and ten there is no difference.
 */
const maxQuietTurns = 4;

/** A group, and its outcome. */
class PendingGroup {
  readonly group: Group;
  readonly #settled = Promise.withResolvers<void>();
  /** The number of replies in it. */
  replies = 0;
  /** Whether the group must be sent. A group of replies alone is sent only after `repliesWaitMs`. */
  isDue = false;
  /** Where what rooms store was appended, once it is. */
  places: readonly HistoryPlace[] = [];

  constructor(maxMessage: number) {
    this.group = new Group(maxMessage);
    // Without waiters, a rejection is not an error.
    this.#settled.promise.catch(() => undefined);
  }

  /** Resolves when the group is as durable as configured. */
  get done(): Promise<void> {
    return this.#settled.promise;
  }

  settle(error?: YodelError): void {
    if (error) this.#settled.reject(error);
    else this.#settled.resolve();
  }
}

/** The groups between a journal and its writer thread. */
export class GroupCommit {
  readonly #send: (order: WriterOrder, transfer?: ArrayBuffer[]) => void;
  readonly #maxMessage: number;
  readonly #onRefusing: ((error: YodelError | undefined) => void) | undefined;
  #current: PendingGroup;
  /** Groups sent to the thread. */
  readonly #sent = new Queue<PendingGroup>();
  #sentBytes = 0;
  #isSendScheduled = false;
  #repliesTimer: NodeJS.Timeout | undefined;
  #probeTimer: NodeJS.Timeout | undefined;
  /** The number of messages in flight at the thread's last answer. Each client that gets a reply may send its next message. */
  #expected = 0;
  #isRefusing = false;
  #hasFailed = false;

  /**
   * @param send sends an order to the writer thread
   * @param maxMessage the number of bytes of a message to record; 0: all
   * @param onRefusing called when messages start to be refused, with the reason, and when they are accepted again
   */
  constructor(
    send: (order: WriterOrder, transfer?: ArrayBuffer[]) => void,
    maxMessage: number,
    onRefusing: ((error: YodelError | undefined) => void) | undefined,
  ) {
    this.#send = send;
    this.#maxMessage = maxMessage;
    this.#onRefusing = onRefusing;
    this.#current = new PendingGroup(maxMessage);
  }

  /** The group to add to. */
  get group(): Group {
    return this.#current.group;
  }

  /** Bytes not written yet. */
  get pendingBytes(): number {
    return this.#current.group.size + this.#sentBytes;
  }

  /** Whether the last attempt to write found the disk full or the file locked. */
  get isRefusing(): boolean {
    return this.#isRefusing;
  }

  /** Commits what was added to {@link group}. Resolves when it is as durable as configured. */
  commit(): Promise<void> {
    const { done } = this.#current;
    this.#current.isDue = true;
    this.#sendSoon();
    return done;
  }

  /** Commits a batch that a room stores. */
  async store(batch: HistoryBatch): Promise<HistoryPlace> {
    const pending = this.#current;
    const index = pending.group.stored.length;
    pending.group.store(batch);
    await this.commit();
    return pending.places[index] as HistoryPlace;
  }

  /** `count` replies were added to {@link group}. They are committed with the next message, or shortly. */
  commitReplies(count: number): void {
    this.#current.replies += count;
    if (this.#current.group.size >= enoughBytes) this.#sendSoon();
    else this.#sendLater();
  }

  /** Sends what was added without waiting for more. */
  flush(): void {
    clearInterval(this.#probeTimer);
    clearTimeout(this.#repliesTimer);
    this.#sendNow();
  }

  /**
   * The thread has handled `groups` groups: they are written, or refused with a temporary error.
   *
   * @param places where what rooms store was appended
   */
  settle(groups: number, error: YodelError | undefined, places: readonly HistoryPlace[] = []): void {
    const wasRefusing = this.#isRefusing;
    this.#isRefusing = error !== undefined;
    let [messages, stored] = [0, 0];
    for (let settled = 0; settled < groups; settled++) {
      const pending = this.#sent.shift();
      if (!pending) return;
      this.#sentBytes -= pending.group.size;
      messages += pending.group.count;
      if (error) this.#carryOver(pending);
      else pending.places = places.slice(stored, stored + pending.group.stored.length);
      stored += pending.group.stored.length;
      pending.settle(error);
    }
    this.#expected = Math.min(messages + this.#current.group.count, enoughMessages);
    // A group of carried-over entries must not be sent by itself, or it would be resent endlessly while the disk is full.
    const acceptsAgain = wasRefusing && !error && !this.#current.group.isEmpty;
    if (this.#current.isDue || acceptsAgain) this.#sendSoon();
    if (this.#isRefusing !== wasRefusing) this.#reportRefusing(error);
  }

  /** Nothing can be written from now on. */
  fail(error: YodelError): void {
    this.#hasFailed = true;
    for (const pending of [...this.#sent.takeAll(), this.#current]) pending.settle(error);
  }

  /** While messages are refused, probes the thread even if there are none, because /readyz reports the state. */
  #reportRefusing(error: YodelError | undefined): void {
    if (error) this.#probeTimer = setInterval(() => this.#send({ probe: true }), probeEveryMs).unref();
    else clearInterval(this.#probeTimer);
    this.#onRefusing?.(error);
  }

  /** Carries the beginnings and ends of sessions and the count of missed replies over from a refused group to the next one. */
  #carryOver({ group, replies }: PendingGroup): void {
    const next = this.#current.group;
    next.begun.unshift(...group.begun);
    next.ended.unshift(...group.ended);
    next.missed += group.missed + replies;
  }

  /** Sends the group at once if no more messages are expected in it, otherwise when it is complete. */
  #sendSoon(): void {
    if (this.#isSendScheduled) return;
    const isIdle = this.#sent.length === 0;
    if (isIdle && this.#current.group.count >= this.#expected) return this.#sendNow();
    this.#isSendScheduled = true;
    this.#awaitMore(this.#current.group, 0);
  }

  /** Sends replies after `repliesWaitMs`, unless a message is sent first. */
  #sendLater(): void {
    if (this.#repliesTimer) return;
    this.#repliesTimer = setTimeout(() => {
      this.#repliesTimer = undefined;
      if (this.#current.group.isEmpty) return;
      this.#current.isDue = true;
      this.#sendSoon();
    }, repliesWaitMs).unref();
  }

  /** Checks the group after the next turn of the event loop, which reads the sockets. */
  #awaitMore(group: Group, quietTurns: number): void {
    const { count } = group;
    setImmediate(() => {
      const quiet = group.count > count ? 0 : quietTurns + 1;
      const isEnough = group.count >= enoughMessages || group.size >= enoughBytes;
      const isIdle = this.#sent.length === 0;
      if (isIdle && !isEnough && group.count < this.#expected && quiet < maxQuietTurns)
        return this.#awaitMore(group, quiet);
      this.#isSendScheduled = false;
      // A busy thread gets the group now only if it is full. Otherwise the group waits for the thread's answer, so that the
      // messages that follow the answer join it.
      if ((isIdle || isEnough) && group === this.#current.group) this.#sendNow();
    });
  }

  #sendNow(): void {
    const { group } = this.#current;
    if (group.isEmpty || this.#hasFailed) return;
    this.#sent.push(this.#current);
    this.#sentBytes += group.size;
    this.#current = new PendingGroup(this.#maxMessage);
    const data = group.data();
    this.#send({ commit: data }, [data.bytes.buffer, data.runs.buffer, data.places.buffer]);
  }
}
