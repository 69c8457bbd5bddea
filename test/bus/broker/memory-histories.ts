/** The histories of a broker in memory. */
import { type BrokerHistory, RefusedError } from '../../../src/bus/broker/broker.ts';
import { storedHead, storedMiddle } from '../../../src/bus/broker/stored-packets.ts';
import { beginning, type NewBatch, type StoredBatch } from '../../../src/rooms/stored/store.ts';
import { endOf } from '../../rooms/stored/conformance.ts';

export class MemoryHistories {
  readonly #rooms = new Map<string, StoredBatch[]>();
  /** Each append that arrived: whether it was repeated. */
  readonly attempts: boolean[] = [];
  /** Why they cannot be opened, or what is appended is refused. */
  refuses: string | undefined;

  /** @param pass passes a packet on */
  append(batch: NewBatch, isRepeated: boolean, pass: (packet: Buffer) => void): StoredBatch {
    this.attempts.push(isRepeated);
    if (this.refuses !== undefined) throw new RefusedError(this.refuses);
    const history = this.of(batch.room);
    const known = history.find(({ id }) => id === batch.id);
    if (known && isRepeated) return known;
    const last = history.at(-1);
    const end = last ? endOf(last) : beginning;
    const stored = { ...batch, first: end.number + 1, previous: { id: end.id, at: 0 }, at: 0 };
    history.push(stored);
    pass(Buffer.concat([storedHead(batch), storedMiddle(stored.first, stored.previous), batch.bytes]));
    return stored;
  }

  of(room: string): StoredBatch[] {
    const history = this.#rooms.get(room) ?? [];
    this.#rooms.set(room, history);
    return history;
  }

  /** For one connection. @param via does something there, unless the connection is lost first */
  opened(
    via: <Result>(run: () => Result) => Promise<Result>,
    pass: (room: string, packet: Buffer) => void,
  ): BrokerHistory {
    return {
      append: (batch, _known, isRepeated) =>
        via(() => this.append(batch, isRepeated, (packet) => pass(batch.room, packet))),
      read: (room) =>
        via(() => {
          const batches = this.of(room);
          const last = batches.at(-1);
          return { batches, last: last ? endOf(last).number : 0 };
        }),
    };
  }
}
