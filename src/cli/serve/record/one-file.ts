/** One transcript for all connections: clients c1, c2 and so on, in the order in which they connected. */
import { writeFileSync } from 'node:fs';
import { protocolOf } from '../../../framing/protocol.ts';
import type { SessionView } from '../../../telemetry/telemetry.ts';
import { Recording } from '../../../transcript/record/recording.ts';
import { recordedAddress } from '../../../transcript/wire.ts';
import { checkRecordable } from '../../record-flags.ts';
import { RecordFile } from './record-file.ts';
import { aboutSession, type BeginSession, type RecorderOptions } from './recorded-session.ts';

/** Empties the file if it may be replaced. The first connection begins the transcript. @throws UsageError if it cannot be written */
export function recordIntoFile(path: string, { notify, ...settings }: RecorderOptions): BeginSession {
  checkRecordable(path, settings);
  writeFileSync(path, '', { mode: 0o600 });
  const file = new RecordFile(path, notify);
  let recording: Recording | undefined;
  let clients = 0;
  return (session) => {
    const protocol = protocolOf(session);
    recording ??= beginTranscript(session, settings, file);
    if (!recording.hasWire(protocol)) {
      notify(
        `${aboutSession(session)} is not recorded: a transcript has the framing of its first client; name a directory for --record`,
      );
      return undefined;
    }
    const name = `c${++clients}`;
    return { client: recording.client(name, `${name}: ${aboutSession(session)}`), file };
  };
}

function beginTranscript(session: SessionView, { times }: Pick<RecorderOptions, 'times'>, file: RecordFile): Recording {
  return new Recording({
    protocol: protocolOf(session),
    about: [`recorded ${new Date().toISOString()}, server ${recordedAddress(session)}`],
    write: (text) => file.write(text),
    times,
    now: () => performance.now(),
  });
}
