/**
 * The own framings and protocols of this process, so that text can refer to them: a recording by the framing's name, a flag or
 * transcript by the file that exports it.
 */
import type { Framing } from './framing.ts';
import type { Protocol } from './protocol.ts';

const framings = new Map<string, Framing>();
const protocols = new Map<string, Protocol>();

/**
 * Remembers a framing by its name, and by the file that exports it. The last one counts, because a file may be loaded again
 * after a change.
 *
 * @param file an absolute path
 */
export function rememberFraming(framing: Framing, file?: string): void {
  framings.set(framing.name, framing);
  if (file !== undefined) framings.set(file, framing);
}

/** Remembers a protocol by the file that exports it, and by its name if it has one. @param file an absolute path */
export function rememberProtocol(protocol: Protocol, file: string): void {
  protocols.set(file, protocol);
  if (protocol.name !== undefined) protocols.set(protocol.name, protocol);
}

/** The framing with this name, or of the file with this absolute path; undefined if there is none in this process. */
export function ownFraming(nameOrFile: string): Framing | undefined {
  return framings.get(nameOrFile);
}

/** The protocol with this name, or of the file with this absolute path; undefined if there is none in this process. */
export function ownProtocol(nameOrFile: string): Protocol | undefined {
  return protocols.get(nameOrFile);
}
