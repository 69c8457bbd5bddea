/**
 * Journals without a server: `import { openJournalReader } from 'yodel/journal'`.
 *
 * @module
 */
export type { Journaled, SessionJournal } from '../session/journaling.ts';
export type {
  Direction,
  Durability,
  Entry,
  Journal,
  JournalQuery,
  JournalReader,
  JournalStats,
  RecordedSession,
} from './journal.ts';
export { type JournalOptions, openJournal, openJournalReader } from './sqlite.ts';
