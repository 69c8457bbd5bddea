/** The transcripts of `yodel serve --record`. Loaded only when the flag is given. */
import { statSync } from 'node:fs';
import type { SessionView, Subscriber } from '../../../telemetry/telemetry.ts';
import { escapeText } from '../../../terminal/escape.ts';
import type { RecordedClient } from '../../../transcript/record/client.ts';
import { UsageError } from '../../fail.ts';
import { recordIntoDirectory } from './directory.ts';
import { recordIntoFile } from './one-file.ts';
import type { BeginSession, RecordedSession, RecorderOptions } from './recorded-session.ts';

/**
 * A subscriber that writes transcripts: all clients into one file if its name ends with `.transcript`, else one file for each
 * into a directory, which it creates.
 *
 * @throws UsageError if the file or directory cannot be written
 */
export function recordInto(path: string, options: RecorderOptions): Subscriber {
  const isFile = path.endsWith('.transcript') && !statSync(path, { throwIfNoEntry: false })?.isDirectory();
  if (isFile && options.worker !== undefined)
    throw new UsageError(`${path} is one file, which several workers cannot share; name a directory for --record`);
  const begin = (isFile ? recordIntoFile : recordIntoDirectory)(path, options);
  return subscriberFor(begin);
}

function subscriberFor(begin: BeginSession): Subscriber {
  const recorded = new Map<SessionView, RecordedSession>();
  const record = (session: SessionView, add: (client: RecordedClient) => void) => {
    const found = recorded.get(session);
    if (found) add(found.client);
  };
  return {
    opened(session) {
      const found = begin(session);
      if (found) recorded.set(session, found);
    },
    received: (session, batch) =>
      record(session, (client) => {
        for (const slice of batch.slices) client.add('>', slice);
      }),
    sent: (session, bytes) => record(session, (client) => client.add('<', bytes)),
    inputEnded: (session) => record(session, (client) => client.end('>')),
    discarded: (session, error) =>
      record(session, (client) => client.note(`not recorded: ${escapeText(error.message)}`)),
    closed(session, error) {
      const found = recorded.get(session);
      recorded.delete(session);
      if (!found) return;
      const { client, file } = found;
      if (error?.code === 'YODEL_CONNECTION_RESET') client.reset();
      else if (error) client.note(escapeText(error.message));
      else if (session.endedBy === 'shutdown') client.stop();
      // A session that ended with an error was ended by the server.
      const [first, second] = session.endedBy === 'peer' && !error ? (['>', '<'] as const) : (['<', '>'] as const);
      client.end(first);
      client.end(second);
      file.flush();
    },
  };
}
