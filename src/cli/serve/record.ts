/** `yodel serve --record`: a transcript of each connection. Loaded only when it is given. */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatPeer } from '../../address.ts';
import type { Framing } from '../../framing/framing.ts';
import type { SessionView, Subscriber } from '../../telemetry/telemetry.ts';
import { escapeText } from '../../terminal/escape.ts';
import { Recording } from '../../transcript/record.ts';
import { UsageError } from '../fail.ts';
import { checkWritable } from '../files.ts';

/** What was said is on the disk after so long, or when there is so much of it: no descriptor is kept for each connection. */
const flushAfterMs = 200;
const flushAtLength = 65_536;

/** One connection's file. */
interface File {
  readonly path: string;
  readonly recording: Recording;
  text: string;
}

/**
 * A subscriber that writes transcripts into a folder, which it makes.
 *
 * @param worker the number of this process among several
 * @throws UsageError when the folder cannot be written
 */
export function recordInto(
  folder: string,
  framing: Framing,
  worker: number | undefined,
  say: (text: string) => void,
): Subscriber {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new UsageError(`cannot make the folder ${folder}: ${(error as Error).message}`);
  }
  checkWritable(join(folder, 'test.transcript'));
  const files = new Map<SessionView, File>();
  let timer: NodeJS.Timeout | undefined;
  const flush = (file: File) => {
    const { text } = file;
    file.text = '';
    if (text === '') return;
    try {
      appendFileSync(file.path, text, { mode: 0o600 });
    } catch (error) {
      say(`cannot record into ${file.path}: ${(error as Error).message}`);
    }
  };
  const flushSoon = (file: File) => {
    if (file.text.length >= flushAtLength) return flush(file);
    timer ??= setTimeout(() => {
      timer = undefined;
      for (const one of files.values()) flush(one);
    }, flushAfterMs);
    timer.unref();
  };
  const open = (session: SessionView): File => {
    const now = new Date();
    const place = worker === undefined ? '' : `${worker}.`;
    const name = `${now.toISOString().replace(/[:.]/g, '-')}-${place}${session.id}.transcript`;
    const about = [`recorded ${now.toISOString()}, client ${escapeText(formatPeer(session.peer))}`];
    const file = { path: join(folder, name), text: '' };
    const write = (text: string) => {
      file.text += text;
    };
    const recorded = Object.assign(file, { recording: new Recording({ framing, about, write }) });
    files.set(session, recorded);
    return recorded;
  };
  return {
    opened: (session) => void open(session),
    received(session, batch) {
      const file = files.get(session);
      if (!file) return;
      for (const slice of batch.slices) file.recording.add('>', slice);
      flushSoon(file);
    },
    sent(session, bytes) {
      const file = files.get(session);
      if (!file) return;
      file.recording.add('<', bytes);
      flushSoon(file);
    },
    closed(session) {
      const file = files.get(session);
      if (!file) return;
      const [first, second] = session.endedBy === 'peer' ? (['>', '<'] as const) : (['<', '>'] as const);
      file.recording.end(first);
      file.recording.end(second);
      flush(file);
      files.delete(session);
    },
  };
}
