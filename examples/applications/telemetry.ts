// Collects readings of devices over TCP, and acknowledges each when SQLite has stored it. A dashboard gets the latest of each
// device. Run it with `node telemetry.ts`, and talk to it: {"type":"hello","device":"attic","token":"secret"}
import { DatabaseSync } from 'node:sqlite';
import {
  type Address,
  compose,
  type HandlerObject,
  json,
  type Middleware,
  type Server,
  serve,
  YodelError,
} from 'yodel';
import * as z from 'zod';

const received = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hello'), device: z.string().regex(/^[\w-]{1,64}$/), token: z.string() }),
  z.object({ type: z.literal('watch'), token: z.string() }),
  // A device counts its readings. Those that were not acknowledged it sends again, and none is stored twice.
  z.object({ type: z.literal('reading'), number: z.int().nonnegative(), value: z.number() }),
]);
interface Reading {
  readonly device: string;
  readonly number: number;
  readonly value: number;
}
interface Data {
  device?: string;
}
export interface Settings {
  readonly listen: Address | number;
  /** The file of the database. */
  readonly file: string;
  /** The token of each device. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly dashboardToken: string;
  /** Readings per second that a device may send; more of them wait. Default 100. */
  readonly rate?: number;
}

const codec = json(received);
type Codec = typeof codec;

/** Stores what has arrived in one turn of the event loop in one transaction. */
class Store {
  /** By device. */
  readonly latest = new Map<string, Reading>();
  #database!: DatabaseSync;
  #waiting: { reading: Reading; done: (error?: Error) => void }[] = [];

  open(file: string): void {
    this.#database = new DatabaseSync(file);
    this.#database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS readings (device TEXT, number INTEGER, value REAL, PRIMARY KEY (device, number))`);
    const latest = this.#database.prepare('SELECT device, max(number) AS number, value FROM readings GROUP BY device');
    for (const reading of latest.all() as unknown as Reading[]) this.latest.set(reading.device, reading);
  }

  /** Resolves when the reading is on the disk. */
  add(reading: Reading): Promise<void> {
    if (this.#waiting.length === 0) setImmediate(() => this.#flush());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ reading, done: (error) => (error ? reject(error) : resolve()) });
    });
  }

  close(): void {
    this.#database.close();
  }

  #flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    let failure: Error | undefined;
    try {
      this.#database.exec('BEGIN');
      const insert = this.#database.prepare('INSERT OR IGNORE INTO readings VALUES (?, ?, ?)');
      for (const { reading } of batch) insert.run(reading.device, reading.number, reading.value);
      this.#database.exec('COMMIT');
    } catch (error) {
      failure = error as Error;
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    }
    for (const { done } of batch) done(failure);
  }
}

/** The first message says who it is: a device, or a dashboard, which needs no handler. */
function login({ tokens, dashboardToken }: Settings, latest: Store['latest']): Middleware<Data, Codec> {
  return {
    message(message, session, next) {
      if (session.data.device !== undefined) return next();
      if (message.type === 'watch' && message.token === dashboardToken) {
        session.join('dashboards');
        return { latest: [...latest.values()] };
      }
      if (message.type !== 'hello' || tokens.get(message.device) !== message.token) {
        throw new YodelError('APP_DENIED', `no valid token in ${message.type}`, { reply: 'say who you are' });
      }
      try {
        session.join(`device/${message.device}`, { alone: true });
      } catch (error) {
        if (error instanceof YodelError && error.code === 'YODEL_ROOM_TAKEN') return { error: 'connected already' };
        throw error;
      }
      session.data.device = message.device;
      return { welcome: message.device };
    },
  };
}

/** Starts the server. `close()` stores and acknowledges all that has arrived. */
export async function startTelemetry(settings: Settings): Promise<Server<Data, Codec>> {
  const store = new Store();
  const collector: HandlerObject<Data, Codec> = {
    start: () => store.open(settings.file),
    async message(message, { data: { device = '' }, server }) {
      if (message.type !== 'reading') return { error: 'only readings, please' };
      const { number, value } = message;
      const reading = { device, number, value };
      try {
        await store.add(reading);
      } catch {
        return { error: 'not stored, send it again', number };
      }
      if (number > (store.latest.get(device)?.number ?? -1)) {
        store.latest.set(device, reading);
        // A dashboard that has not read the last one of this device yet receives this one instead.
        server.room('dashboards').send(reading, { key: device });
      }
      return { stored: number };
    },
    missed: (_session, _room, readings) => ({ missed: readings }),
    stop: () => store.close(),
  };
  return await serve({
    listen: settings.listen,
    codec,
    handler: compose(login(settings, store.latest), collector),
    maxMessageLength: 1024,
    rate: settings.rate ?? 100,
    concurrency: 100, // so many readings of a device may be in one transaction
  });
}

if (process.argv[1] === import.meta.filename) {
  const tokens = new Map([['attic', 'secret']]);
  const { PORT = 7878, FILE: file = 'readings.db' } = process.env;
  const server = await startTelemetry({ listen: Number(PORT), file, tokens, dashboardToken: 'dashboard' });
  console.log(`listening on ${server.addresses[0]}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());
}
