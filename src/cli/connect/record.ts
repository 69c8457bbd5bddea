/** `yodel connect --record`: a transcript of the conversation, in one file. */
import { writeFileSync } from 'node:fs';
import type { Address } from '../../address.ts';
import { systemError, type YodelError } from '../../errors.ts';
import type { Framing } from '../../framing/framing.ts';
import { Recording } from '../../transcript/record.ts';
import { checkWritable } from '../files.ts';

/**
 * Begins the transcript, once there is a connection: what the file held is lost then, and not where connecting fails.
 *
 * @param failed told once when it cannot be written, as on a full disk; after that nothing more is written
 */
export type BeginRecording = (failed: (error: YodelError) => void) => Recording;

/** @throws UsageError when the file cannot be written */
export function recordInto(file: string, framing: Framing, address: Address): BeginRecording {
  checkWritable(file);
  return (failed) => {
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
    return new Recording({ framing, about, write });
  };
}
