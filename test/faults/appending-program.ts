/**
 * Stores batches in rooms of a journal, as fast as it takes them, and prints each one once it is stored: `room number id`.
 *
 * usage: appending-program.ts JOURNAL RUN
 */
import { writeSync } from 'node:fs';
import { openJournal } from '../../src/journal/sqlite.ts';
import { beginning, type Place } from '../../src/rooms/stored/store.ts';

const [file = '', run = ''] = process.argv.slice(2);
const journal = await openJournal(file);
const store = journal.openStore();
store.start({ storedMessages: 0, storedAge: 0, storedBytes: 0, stored: () => undefined, resumed: () => undefined });

async function appendTo(room: string): Promise<never> {
  let known: Place = beginning;
  for (let number = 0; ; number++) {
    const id = `${run}-${room}-${number}`.padStart(16, '_');
    const bytes = Buffer.from(`${run} ${number}`);
    known = await store.append({ room, id, count: 3, time: Date.now(), bytes }, known);
    print(`${room} ${known.number} ${id}\n`);
  }
}

/** At once: what is still in the process when it is killed would not count. */
function print(line: string): void {
  for (let rest = Buffer.from(line); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // The pipe is full.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

await Promise.all(['a', 'b', 'c', 'd'].map(appendTo));
