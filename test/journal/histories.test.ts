/** The histories of rooms in a journal. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, onTestFinished } from 'vitest';
import { openJournal } from '../../src/journal/sqlite.ts';
import { recording, testStore } from '../rooms/stored/conformance.ts';
import { temporaryFolder } from '../support/files.ts';

describe('a journal as a store', () =>
  testStore({
    isShared: true,
    async start() {
      const journal = await openJournal(join(temporaryFolder(), 'rooms.journal'), { durability: 'normal' });
      onTestFinished(() => journal.close());
      return {
        async open(limits = {}) {
          const store = journal.openStore();
          const { receiver, ...rest } = recording(limits);
          store.start(receiver);
          onTestFinished(() => store.close());
          return { store, ...rest, follow: () => Promise.resolve() };
        },
        pass: (ms) => delay(ms),
      };
    },
  }));
