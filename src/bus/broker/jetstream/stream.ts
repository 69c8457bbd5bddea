/**
 * The stream of NATS JetStream that keeps the histories of all rooms below a prefix. Each batch is a message on a subject of its room;
 * the server passes it on to the subject of the room to which nodes with members subscribe.
 */
import type { Msg } from '@nats-io/transport-node';
import { realClock } from '../../../clock.ts';
import { ownCopy } from '../../../framing/slices.ts';
import type { StoredBatch, StoreLimits } from '../../../rooms/stored/store.ts';
import { RefusedError } from '../broker.ts';
import { readStoredPacket } from '../stored-packets.ts';
import type { Subjects } from '../subjects.ts';
import { type NatsRequests, NoReplyError, SilentError } from './requests.ts';

/** What a server says about a stream, as far as it is of interest. */
interface StreamInfo {
  readonly config: StreamConfig;
  /** When it was created: another one has the same name otherwise. */
  readonly created: string;
  readonly state: { readonly last_seq: number };
}

interface StreamConfig {
  readonly subjects?: readonly string[];
  readonly retention: string;
  readonly num_replicas: number;
  readonly allow_direct?: boolean;
  readonly no_ack?: boolean;
  readonly republish?: { readonly src?: string; readonly dest: string; readonly headers_only?: boolean };
}

/** Errors of JetStream: `error_code` in its source. */
const codes = {
  noStream: 10059,
  /** The name is in use, or the subjects are: nodes that create the same stream at the same time. */
  alreadyCreated: [10058, 10065],
  noMessage: 10037,
  /** Something else was appended to the subject. The second one does not say what; newer servers have it. */
  wrongLast: [10071, 10164],
  notEnabled: [10039, 10076],
} as const;

/** What is not a batch of the room is skipped, but not more of it at once. */
const maxSkipped = 1000;
/** If it takes longer to read a message, the stream may have been deleted, which servers do not say then. */
const readMs = 1000;
/** A consumer that has not been used for this long is removed by the server; usually it is deleted right after it was read. */
const consumerNs = 10_000_000_000;

/** See the top of the file. */
export class NatsStream {
  readonly #requests: NatsRequests;
  readonly #name: string;
  readonly #subjects: Subjects;
  readonly #limits: StoreLimits;
  readonly #server: () => string;
  /** Whether messages may be read from the server that has them at once: with replicas that could be one that is late. */
  #isDirect = false;
  #created = '';
  /** The highest sequence that it is known to have had. */
  #last = 0;

  /** @param server tells the version of the server */
  constructor(requests: NatsRequests, subjects: Subjects, limits: StoreLimits, server: () => string) {
    this.#requests = requests;
    this.#subjects = subjects;
    this.#limits = limits;
    this.#server = server;
    this.#name = streamName(subjects.prefix);
  }

  /**
   * Creates the stream unless it exists.
   *
   * @returns whether it is the one that it was before, with all its data
   * @throws Error that says why it cannot be used
   */
  async open(): Promise<boolean> {
    const info = await this.#opened();
    const wrong = faultOf(info.config, this.#wanted(), this.#server());
    if (wrong) throw new RefusedError(`the stream ${this.#name} ${wrong}`);
    this.#isDirect = info.config.allow_direct === true && info.config.num_replicas === 1;
    const isSame = info.created === this.#created && info.state.last_seq >= this.#last;
    this.#created = info.created;
    this.#last = info.state.last_seq;
    return isSame;
  }

  /**
   * Appends a packet to the history of a room if its last one is at `after`; 0: if it has none.
   *
   * @returns where it is; undefined if something else was appended
   * @throws RefusedError if it is not appended, NoReplyError if there is no stream, Error if it is not known whether it is
   */
  async append(room: string, packet: Uint8Array, after: number): Promise<number | undefined> {
    const subject = this.#subjects.ofHistory(room);
    const header = ['Nats-Expected-Last-Subject-Sequence', `${after}`] as const;
    const { seq, error } = parsed(await this.#requests.request(subject, packet, { header }));
    if (includes(codes.wrongLast, error?.err_code)) return undefined;
    if (error) throw new RefusedError(error.description ?? `error ${error.err_code}`);
    this.#last = Math.max(this.#last, seq ?? 0);
    return seq;
  }

  /**
   * The last batch of a room, and the sequence that the server compares with the one expected: usually that of the batch. Strangers
   * may have appended something else; and nats-server 2.9 finds nothing if the last message was deleted.
   */
  async last(room: string): Promise<{ readonly batch: StoredBatch | undefined; readonly tail: number }> {
    const query = { last_by_subj: this.#subjects.ofHistory(room) };
    let found = await this.#get(query);
    const oldest = found && batchOf(room, found) ? undefined : await this.next(room, 1);
    // It was not empty, or is not any more.
    if (oldest) found = await this.#get(query);
    const batch = found && batchOf(room, found);
    const tail = found?.at ?? 0;
    if (batch || !oldest) return { batch, tail };
    return { batch: await this.#lastFrom(oldest, tail > 0 ? tail : (await this.#info())?.state.last_seq), tail };
  }

  /** The last batch up to a sequence. */
  async #lastFrom(oldest: StoredBatch, to = 0): Promise<StoredBatch> {
    let last = oldest;
    for (let step = 1; step > 0; ) {
      const next = await this.next(oldest.room, last.at + step);
      const isMore = next !== undefined && next.at <= to;
      step = isMore ? step * 2 : Math.floor(step / 2);
      if (isMore) last = next;
    }
    return last;
  }

  /** What is at a sequence, if it is a batch of the room. */
  async at(room: string, at: number): Promise<StoredBatch | undefined> {
    const found = await this.#get({ seq: at });
    return found && batchOf(room, found);
  }

  /** The first batch of a room that is at `from` or after. */
  async next(room: string, from: number): Promise<StoredBatch | undefined> {
    let seq = Math.max(from, 1);
    for (let skipped = 0; skipped < maxSkipped; skipped++) {
      const found = await this.#get({ seq, next_by_subj: this.#subjects.ofHistory(room) });
      if (!found) return undefined;
      const batch = batchOf(room, found);
      if (batch) return batch;
      seq = found.at + 1;
    }
    throw new RefusedError(`the stream ${this.#name} has other messages than batches, up to ${seq}: remove them`);
  }

  /** The batches of a room from one sequence to another, about `maxBytes` of them: maybe none. */
  async range(room: string, from: number, to: number, maxBytes: number): Promise<StoredBatch[]> {
    const consumer = await this.#consumer(room, from);
    const batches: StoredBatch[] = [];
    let [left, bytes, expected] = [consumer.num_pending, 0, 1];
    if (left === 0) return batches;
    const take = (message: Msg) => {
      const [at, number] = deliveryOf(message.reply ?? '');
      // The end; or something was lost between two servers.
      if (number !== expected || at > to) return true;
      [left, expected, bytes] = [left - 1, expected + 1, bytes + message.data.length];
      const batch = batchOf(room, { at, bytes: message.data });
      if (batch) batches.push(batch);
      return left === 0 || at === to || bytes >= maxBytes;
    };
    const request = { batch: left, max_bytes: maxBytes, no_wait: true };
    const api = `$JS.API.CONSUMER.MSG.NEXT.${this.#name}.${consumer.name}`;
    try {
      await this.#requests.collect(api, JSON.stringify(request), take);
    } finally {
      this.#api(`CONSUMER.DELETE.${this.#name}.${consumer.name}`).catch(() => undefined);
    }
    return batches;
  }

  async #consumer(room: string, from: number): Promise<{ readonly name: string; readonly num_pending: number }> {
    const config = {
      deliver_policy: 'by_start_sequence',
      opt_start_seq: Math.max(from, 1),
      filter_subject: this.#subjects.ofHistory(room),
      ack_policy: 'none',
      inactive_threshold: consumerNs,
      mem_storage: true,
      num_replicas: 1,
    };
    const reply = await this.#api(`CONSUMER.CREATE.${this.#name}`, { stream_name: this.#name, config });
    if (reply.error) throw new RefusedError(reply.error.description);
    return reply as unknown as { name: string; num_pending: number };
  }

  async #opened(): Promise<StreamInfo> {
    try {
      return (await this.#info()) ?? (await this.#create());
    } catch (error) {
      throw error instanceof NoReplyError ? new RefusedError(notEnabled) : error;
    }
  }

  async #info(): Promise<StreamInfo | undefined> {
    const reply = await this.#again(`STREAM.INFO.${this.#name}`);
    if (reply.error?.err_code === codes.noStream) return undefined;
    return infoOf(reply);
  }

  async #create(): Promise<StreamInfo> {
    const reply = await this.#again(`STREAM.CREATE.${this.#name}`, this.#wanted());
    const isCreated = includes(codes.alreadyCreated, reply.error?.err_code);
    if (!isCreated) return infoOf(reply);
    // Another node was faster, or is creating it at this moment.
    for (let left = attempts; left > 0; left--) {
      const info = await this.#info();
      if (info) return info;
      await new Promise<void>((resolve) => realClock.after(beingCreatedMs, resolve));
    }
    return infoOf(reply);
  }

  /** How the stream is created. */
  #wanted() {
    const { storedMessages, storedAge, storedBytes } = this.#limits;
    return {
      name: this.#name,
      description: `The histories of rooms of yodel servers with the prefix ${this.#subjects.prefix}`,
      subjects: [this.#subjects.histories],
      retention: 'limits',
      discard: 'old',
      storage: 'file',
      num_replicas: 1,
      max_consumers: -1,
      max_msgs: -1,
      // Each message is a batch of at least one.
      max_msgs_per_subject: storedMessages === 0 ? -1 : storedMessages,
      max_bytes: storedBytes === 0 ? -1 : storedBytes,
      max_age: storedAge === 0 ? 0 : Math.max(storedAge, minAgeMs) * 1_000_000,
      allow_direct: true,
      republish: { src: this.#subjects.histories, dest: this.#subjects.republished },
      // A stream that replaces another one has other sequences. Servers before 2.10 ignore it.
      first_seq: 1 + Math.floor(Math.random() * maxFirst),
    };
  }

  async #get(query: object): Promise<{ readonly at: number; readonly bytes: Uint8Array } | undefined> {
    return this.#isDirect ? await this.#getDirectly(query) : await this.#getFromLeader(query);
  }

  async #getDirectly(query: object): Promise<{ readonly at: number; readonly bytes: Uint8Array } | undefined> {
    const message = await this.#answerTo(JSON.stringify(query));
    const { headers } = message;
    if (headers && headers.code > 0) {
      if (headers.code === 404) return undefined;
      throw new RefusedError(headers.description);
    }
    return { at: Number(headers?.get('Nats-Sequence')), bytes: message.data };
  }

  async #answerTo(query: string): Promise<Msg> {
    const api = `$JS.API.DIRECT.GET.${this.#name}`;
    try {
      return await this.#requests.request(api, query, { silentMs: readMs });
    } catch (error) {
      if (!(error instanceof SilentError)) throw error;
    }
    if (!(await this.#info())) throw new NoReplyError('the stream was deleted');
    return await this.#requests.request(api, query);
  }

  async #getFromLeader(query: object): Promise<{ readonly at: number; readonly bytes: Uint8Array } | undefined> {
    const { error, message } = await this.#api(`STREAM.MSG.GET.${this.#name}`, query);
    if (error?.err_code === codes.noMessage) return undefined;
    if (error || !message) throw new RefusedError(error?.description ?? 'no message');
    return { at: message.seq, bytes: Buffer.from(message.data ?? '', 'base64') };
  }

  /**
   * Makes a request that may be made several times: nats-server 2.9 does not answer some about a stream that another node is creating
   * at that moment.
   */
  async #again(subject: string, request: object = {}): Promise<Reply> {
    for (let left = attempts; ; left--) {
      try {
        return await this.#api(subject, request, attemptMs);
      } catch (error) {
        if (!(error instanceof SilentError) || left === 1) throw error;
      }
    }
  }

  async #api(subject: string, request: object = {}, silentMs?: number): Promise<Reply> {
    const options = silentMs === undefined ? {} : { silentMs };
    const reply = parsed(await this.#requests.request(`$JS.API.${subject}`, JSON.stringify(request), options));
    if (includes(codes.notEnabled, reply.error?.err_code)) throw new NoReplyError(notEnabled);
    return reply;
  }
}

/** Why nobody answers. */
export const notEnabled = 'JetStream is not enabled for this user: nats-server needs "jetstream" in its configuration';

/** How often, and for how long, an answer about the stream itself is waited for. */
const attempts = 5;
const attemptMs = 1000;
const beingCreatedMs = 100;
const minAgeMs = 100;
/** Far below the numbers that JavaScript can tell apart. */
const maxFirst = 2 ** 40;

/** What JetStream answers, of any kind: nothing in it is certain. */
interface Reply {
  readonly error?: { readonly err_code?: number; readonly description: string };
  readonly seq?: number;
  readonly message?: { readonly seq: number; readonly data?: string };
  readonly config?: StreamConfig;
}

function parsed(message: Msg): Reply {
  const reply: unknown = JSON.parse(message.string());
  if (typeof reply !== 'object' || reply === null) throw new RefusedError('NATS sent a reply that cannot be read');
  return reply;
}

function infoOf(reply: Reply): StreamInfo {
  if (reply.error) throw new RefusedError(reply.error.description);
  return reply as StreamInfo;
}

/** Names of streams have no dots: `a.b` is `a=2Eb-store`. */
export function streamName(prefix: string): string {
  return `${prefix.replaceAll('.', '=2E')}-store`;
}

/** What a stream that exists must have in common with the one that would be created. Its limits are up to its owner. */
function faultOf(
  { subjects, retention, republish, no_ack, num_replicas }: StreamConfig,
  wanted: { readonly subjects: readonly string[]; readonly republish: { readonly src: string; readonly dest: string } },
  version: string,
): string | undefined {
  const { src, dest } = wanted.republish;
  if (subjects?.length !== 1 || subjects[0] !== src) return `has other subjects than ${src}`;
  const isPassedOn = republish?.dest === dest || republish?.dest === dest.replace('{{wildcard(1)}}', '$1');
  if (!isPassedOn || republish?.src !== src || republish.headers_only) return `does not republish ${src} to ${dest}`;
  if (retention !== 'limits') return `has the retention "${retention}"; it must be "limits"`;
  if (no_ack) return 'acknowledges nothing';
  // Before, servers compared an expected sequence with what is stored, not with what is being replicated.
  if (num_replicas > 1 && /^2\.([0-9]|10)\./.test(version)) {
    return `has ${num_replicas} replicas; for that nats-server must be 2.11 or newer, not ${version}`;
  }
  return undefined;
}

/** @returns undefined if it is none of the room */
function batchOf(
  room: string,
  { at, bytes }: { readonly at: number; readonly bytes: Uint8Array },
): StoredBatch | undefined {
  if (!Number.isSafeInteger(at)) return undefined;
  try {
    // What is read from a connection is part of a larger chunk, which the batch would keep in memory.
    const batch = readStoredPacket(ownCopy(bytes));
    return batch.room === room ? { ...batch, at } : undefined;
  } catch (error) {
    // Anyone with write access can send anything.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * Where a message that a consumer delivers is in the stream, and its number for the consumer, from 1. It is in the subject for its
 * acknowledgement: `$JS.ACK.<stream>.<consumer>.<deliveries>.<in stream>.<number>.<time>.<left>`; newer servers may name a domain
 * and an account before the stream.
 */
function deliveryOf(reply: string): readonly [number, number] {
  const tokens = reply.split('.');
  const from = tokens.length < 11 ? 2 : 4;
  return [Number(tokens[from + 3]), Number(tokens[from + 4])];
}

function includes(all: readonly number[], code: number | undefined): boolean {
  return code !== undefined && all.includes(code);
}
