/** The histories of rooms in Redis: a stream for each. What happens there is in `scripts.ts`. */
import type { Redis } from 'ioredis';
import { realClock } from '../../../clock.ts';
import type { NewBatch, Place, StoredBatch, StoredRange, StoreLimits } from '../../../rooms/stored/store.ts';
import { Slots } from '../../../slots.ts';
import { type BrokerHistory, RefusedError } from '../broker.ts';
import { silent } from '../link.ts';
import { readStoredPacket, storedHead } from '../stored-packets.ts';
import type { Subjects } from '../subjects.ts';
import { appendScript, probeScript, type RedisScript, readScript } from './scripts.ts';

/** The most that is read at once because of a number of messages, in bytes. */
const maxNewest = 8_388_608;
/** A part of a history that takes longer will not come. */
const silentMs = 5000;
/** How many parts are read at a time: more would only wait for each other, and seem to be silent. */
const readers = 4;

/** See the top of the file. */
export class RedisHistory implements BrokerHistory {
  readonly #appending: Redis;
  readonly #reading: Redis;
  readonly #subjects: Subjects;
  readonly #limits: StoreLimits;
  readonly #longest: number;
  readonly #silent: () => void;
  readonly #readers = new Slots(readers);

  /**
   * Two connections, so that what is appended waits for no long reads.
   *
   * @param longest the longest packet that is passed on
   * @param silent called when the connection for reading is as good as lost
   */
  constructor(
    clients: readonly [Redis, Redis],
    subjects: Subjects,
    limits: StoreLimits,
    longest: number,
    silent: () => void,
  ) {
    [this.#appending, this.#reading] = clients;
    this.#subjects = subjects;
    this.#limits = limits;
    this.#longest = longest;
    this.#silent = silent;
  }

  async append(batch: NewBatch, known: Place, isRepeated: boolean): Promise<StoredBatch> {
    const { room, id, count, bytes } = batch;
    const head = storedHead(batch);
    if (head.length + bytes.length > this.#longest) throw new RefusedError('a batch is too long');
    const { storedMessages, storedAge, storedBytes } = this.#limits;
    const reply = await this.#run(this.#appending, appendScript, [
      this.#subjects.nameOf(room),
      this.#subjects.ofRoom(room),
      head,
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
      id,
      count,
      isRepeated ? 1 : 0,
      known.id,
      storedMessages,
      storedAge,
      storedBytes,
    ]);
    // Its caller has lost the connection long ago.
    if (reply === null) throw new RefusedError('it was appended by a later attempt');
    const [first, previous] = textsOf(reply);
    if (previous === undefined) throw new RangeError('Redis has responded with something else');
    return { ...batch, first: numberOf(first), previous: { id: previous, at: 0 }, at: 0 };
  }

  async read(
    room: string,
    from: { readonly after: Place } | { readonly newest: number },
    maxBytes: number,
  ): Promise<StoredRange> {
    const { storedAge } = this.#limits;
    const name = this.#subjects.nameOf(room);
    const wanted =
      'after' in from
        ? ['after', from.after.number, maxBytes]
        : ['newest', Math.max(1, from.newest), Math.max(maxBytes, maxNewest)];
    const reply = await this.#readers.run(() =>
      this.#inTime(this.#run(this.#reading, readScript, [name, ...wanted, storedAge])),
    );
    if (!Array.isArray(reply)) throw new RangeError('Redis has responded with something else');
    const [last, ...packets] = reply as Buffer[];
    return { last: numberOf(String(last)), batches: packets.map((packet) => batchOf(room, packet)) };
  }

  /** @throws Error also if there is no reply in time */
  async #inTime<Reply>(read: Promise<Reply>): Promise<Reply> {
    const silence = Promise.withResolvers<never>();
    const timer = realClock.deadline(silentMs, () => {
      silence.reject(new Error(silent));
      this.#silent();
    });
    try {
      return await Promise.race([read, silence.promise]);
    } finally {
      timer.cancel();
    }
  }

  #run(client: Redis, script: RedisScript, given: readonly Argument[]): Promise<unknown> {
    return run(client, script, [this.#subjects.store, ...given]);
  }
}

type Argument = string | number | Buffer;

/** Looks whether everything is allowed that histories need. @throws RefusedError if not */
export async function probeHistory(client: Redis, subjects: Subjects): Promise<void> {
  await run(client, probeScript, [subjects.store, subjects.ofRoom('')]);
}

/**
 * @param given the only key, and arguments
 * @throws RefusedError if Redis refuses it: then it has done nothing
 */
async function run(client: Redis, { sha, text }: RedisScript, given: readonly Argument[]): Promise<unknown> {
  try {
    return await client.callBuffer('EVALSHA', sha, 1, ...given);
  } catch (error) {
    if (!isReply(error)) throw error;
    if (!error.message.startsWith('NOSCRIPT')) throw new RefusedError(error.message);
  }
  try {
    return await client.callBuffer('EVAL', text, 1, ...given);
  } catch (error) {
    throw isReply(error) ? new RefusedError(error.message) : error;
  }
}

/** Whether Redis has responded with an error. Others come from the client: the connection is lost. */
function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** @throws RangeError if it is none of the room */
function batchOf(room: string, packet: unknown): StoredBatch {
  if (!Buffer.isBuffer(packet)) throw new RangeError('Redis has responded with something else');
  const batch = readStoredPacket(packet);
  if (batch.room !== room) throw new RangeError(`a batch of another room: ${JSON.stringify(batch.room)}`);
  return batch;
}

function textsOf(reply: unknown): (string | undefined)[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}

function numberOf(text: string | undefined): number {
  const number = /^\d{1,16}$/.test(text ?? '') ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new RangeError('Redis has responded with something else');
  return number;
}
