/** The addresses of second connections: `@connect data {data}`. The mock listens there, and the names in them get its address. */
import type { Address, TcpAddress } from '../../address.ts';
import { allNamesIn, matches, partsOfContent } from '../content.ts';
import { destinationOf, formatFtpAddress } from '../destination.ts';
import { type Content, type StepOf, type Transcript, TranscriptError } from '../transcript.ts';
import type { Values } from '../values.ts';
import { lineOf, stepsIn } from '../walk.ts';

/** A `@connect` with an address. */
export type SecondConnect = StepOf<'connect'> & { readonly address: Content };

/** Whether a step connects to another address. */
export function isSecondConnect(step: StepOf<'connect'> | undefined): step is SecondConnect {
  return step?.address !== undefined;
}

/** Where to listen if no name in the address lacks a value; undefined: at any free port. @throws YodelError */
export function givenAddress({ address }: SecondConnect, values: Values): Address | undefined {
  return allNamesIn(address).every((name) => values.has(name)) ? destinationOf(address, values) : undefined;
}

/** Whether the connection is encrypted from its beginning. */
export function isEncrypted({ address }: SecondConnect): boolean {
  const [first] = partsOfContent(address);
  return first instanceof Uint8Array && /^tls:/.test(Buffer.from(first).toString());
}

/**
 * Gives the names in an address their values.
 *
 * @param actual where the mock listens
 * @throws TranscriptError if the address has no place for a port
 */
export function nameAddress(transcript: Transcript, step: SecondConnect, actual: TcpAddress, values: Values): void {
  const port = String(actual.port);
  const parts = partsOfContent(step.address);
  const last = parts.at(-1);
  const usual = [`${actual.host}:${port}`, `tcp://${actual.host}:${port}`, `tls://${actual.host}:${port}`];
  const ftp = /^\d+(?:\.\d+){3}$/.test(actual.host) ? [formatFtpAddress(actual)] : [];
  const forms = isInFtpNotation(transcript, step) ? [...ftp, ...usual] : [...usual, ...ftp];
  for (const form of forms) if (matches(step.address, Buffer.from(form), values)) return;
  // The host of the server that was recorded: only the port is the mock's own.
  const before = parts.at(-2);
  const followsHost = before instanceof Uint8Array && Buffer.from(before).toString().endsWith(':');
  if (last && 'name' in last && followsHost) return values.set(last.name, Buffer.from(port));
  const text = lineOf(transcript, step);
  const problem = `a mock listens at a port of its own, which this address has no name for: write HOST:{port}, or {address}`;
  throw new TranscriptError(step.file ?? transcript.file, step.line, 1, problem, text);
}

/** Whether a line of the server has the address as FTP does: `227 Entering Passive Mode ({data})`. */
function isInFtpNotation(transcript: Transcript, { address }: SecondConnect): boolean {
  const [whole, ...others] = partsOfContent(address);
  if (!whole || !('name' in whole) || others.length > 0) return false;
  for (const step of stepsIn(transcript)) {
    if (step.kind !== 'message' || step.side !== '<') continue;
    const parts = partsOfContent(step.content);
    const index = parts.findIndex((part) => 'name' in part && part.name === whole.name);
    if (index === -1) continue;
    const [before, after] = [parts[index - 1], parts[index + 1]].map((part) =>
      part instanceof Uint8Array ? Buffer.from(part).toString() : '',
    );
    return /[(,]$/.test(before ?? '') || /^[),]/.test(after ?? '');
  }
  return false;
}
