/** One transcript for each connection, in a directory. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { protocolOf } from '../../../framing/protocol.ts';
import { Recording } from '../../../transcript/record/recording.ts';
import { recordedAddress } from '../../../transcript/wire.ts';
import { UsageError } from '../../fail.ts';
import { checkWritable } from '../../files.ts';
import { RecordFile } from './record-file.ts';
import { aboutSession, type BeginSession, type RecorderOptions } from './recorded-session.ts';

/** Creates the directory. Files are named after the time and the session. @throws UsageError if it cannot be written */
export function recordIntoDirectory(directory: string, { worker, notify, times }: RecorderOptions): BeginSession {
  createDirectory(directory);
  return (session) => {
    const now = new Date().toISOString();
    const prefix = worker === undefined ? '' : `${worker}.`;
    const path = join(directory, `${now.replace(/[:.]/g, '-')}-${prefix}${session.id}.transcript`);
    const file = new RecordFile(path, notify);
    const recording = new Recording({
      protocol: protocolOf(session),
      about: [`recorded ${now}, ${aboutSession(session)}, server ${recordedAddress(session)}`],
      write: (text) => file.write(text),
      times,
      now: () => performance.now(),
    });
    return { client: recording.client(), file };
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
