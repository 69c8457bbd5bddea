import { formatPeer } from '../../../address.ts';
import type { SessionView } from '../../../telemetry/telemetry.ts';
import { escapeText } from '../../../terminal/escape.ts';
import type { RecordedClient } from '../../../transcript/record/client.ts';
import type { RecordSettings } from '../../record-flags.ts';
import type { Notify } from '../outputs.ts';
import type { RecordFile } from './record-file.ts';

/** A session that is being recorded, and the file that it is recorded into. */
export interface RecordedSession {
  readonly client: RecordedClient;
  readonly file: RecordFile;
}

/** Begins to record a session; undefined if it cannot be recorded. */
export type BeginSession = (session: SessionView) => RecordedSession | undefined;

/** What recorders need. */
export interface RecorderOptions extends RecordSettings {
  /** The number of this process among several. */
  readonly worker: number | undefined;
  readonly notify: Notify;
}

/** The client of a session, in a comment. */
export function aboutSession({ peer }: SessionView): string {
  return `client ${escapeText(formatPeer(peer))}`;
}
