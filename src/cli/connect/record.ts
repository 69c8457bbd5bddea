/** `--record` of `yodel connect` and `yodel send`: writes a transcript of the conversation. */
import { writeFileSync } from 'node:fs';
import type { Address } from '../../address.ts';
import { systemError, type YodelError } from '../../errors.ts';
import type { Protocol } from '../../framing/protocol.ts';
import { Recording } from '../../transcript/record/recording.ts';
import { checkRecordable, recordSettings } from '../record-flags.ts';

/**
 * Starts the transcript. Called after connecting, so that a failure to connect leaves an existing file alone.
 *
 * @param protocol of the connection
 * @param failed called once when the file cannot be written, as on a full disk; nothing more is written then
 */
export type BeginRecording = (protocol: Protocol, failed: (error: YodelError) => void) => Recording;

/** What `--record` asks for; undefined without it. @throws UsageError when the file exists or cannot be written */
export function readRecordFlags(
  flags: Readonly<Record<string, unknown>>,
  address: Address,
): BeginRecording | undefined {
  if (flags.record === undefined) return undefined;
  const file = String(flags.record);
  const settings = recordSettings(flags);
  checkRecordable(file, settings);
  return (protocol, failed) => {
    let flag: 'w' | 'a' = 'w';
    let hasFailed = false;
    const write = (text: string): void => {
      if (hasFailed) return;
      try {
        writeFileSync(file, text, { flag, mode: 0o600 });
        flag = 'a';
      } catch (error) {
        hasFailed = true;
        failed(systemError(`cannot record into ${file}`, error));
      }
    };
    const about = [`recorded ${new Date().toISOString()}, server ${address}`];
    const { times } = settings;
    return new Recording({ protocol, about, write, times, now: () => performance.now() });
  };
}
