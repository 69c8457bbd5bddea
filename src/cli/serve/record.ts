/** The transcripts of `yodel serve --record`, one per connection. Loaded only when the flag is given. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatPeer } from '../../address.ts';
import { protocolOf } from '../../framing/protocol.ts';
import type { SessionView, Subscriber } from '../../telemetry/telemetry.ts';
import { escapeText } from '../../terminal/escape.ts';
import { Recording } from '../../transcript/record.ts';
import { recordedAddress } from '../../transcript/wire.ts';
import { UsageError } from '../fail.ts';
import { checkWritable } from '../files.ts';
import type { Notify } from './outputs.ts';

/** Text is appended to its file after this time or length, so that no descriptor is kept per connection. */
const flushAfterMs = 200;
const flushAtLength = 65_536;

/** A transcript that is being written. */
interface File {
  readonly path: string;
  readonly recording: Recording;
  /** What is not on disk yet. */
  text: string;
}

/**
 * A subscriber that writes transcripts into a directory, which it creates.
 *
 * @param worker the number of this process among several
 * @throws UsageError if the directory cannot be written
 */
export function recordInto(directory: string, worker: number | undefined, notify: Notify): Subscriber {
  createDirectory(directory);
  const files = new Map<SessionView, File>();
  let timer: NodeJS.Timeout | undefined;
  const flushSoon = (file: File) => {
    if (file.text.length >= flushAtLength) return flush(file, notify);
    timer ??= setTimeout(() => {
      timer = undefined;
      for (const one of files.values()) flush(one, notify);
    }, flushAfterMs);
    timer.unref();
  };
  const record = (session: SessionView, add: (recording: Recording) => void) => {
    const file = files.get(session);
    if (!file) return;
    add(file.recording);
    flushSoon(file);
  };
  return {
    opened: (session) => void files.set(session, openFile(directory, session, worker)),
    received: (session, batch) =>
      record(session, (recording) => {
        for (const slice of batch.slices) recording.add('>', slice);
      }),
    sent: (session, bytes) => record(session, (recording) => recording.add('<', bytes)),
    closed(session) {
      const file = files.get(session);
      if (!file) return;
      const [first, second] = session.endedBy === 'peer' ? (['>', '<'] as const) : (['<', '>'] as const);
      file.recording.end(first);
      file.recording.end(second);
      flush(file, notify);
      files.delete(session);
    },
  };
}

/** @throws UsageError if it cannot be created or written */
function createDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new UsageError(`cannot create the directory ${directory}: ${(error as Error).message}`);
  }
  checkWritable(join(directory, 'test.transcript'));
}

/** Begins the transcript of a session. Its file is named after the time and the session. */
function openFile(directory: string, session: SessionView, worker: number | undefined): File {
  const { id, peer } = session;
  const now = new Date().toISOString();
  const prefix = worker === undefined ? '' : `${worker}.`;
  const path = join(directory, `${now.replace(/[:.]/g, '-')}-${prefix}${id}.transcript`);
  const about = [`recorded ${now}, client ${escapeText(formatPeer(peer))}, server ${recordedAddress(session)}`];
  const file = { path, text: '' };
  const write = (text: string) => {
    file.text += text;
  };
  return Object.assign(file, { recording: new Recording({ protocol: protocolOf(session), about, write }) });
}

function flush(file: File, notify: Notify): void {
  const { path, text } = file;
  file.text = '';
  if (text === '') return;
  try {
    appendFileSync(path, text, { mode: 0o600 });
  } catch (error) {
    notify(`cannot record into ${path}: ${(error as Error).message}`);
  }
}
