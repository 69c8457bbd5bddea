/** Names of rooms and their members. */
import { YodelError } from '../errors.ts';

const longestName = 128;

/** Other processes are told at most this number of names for each room. */
export const mostNames = 100;

/** The room of all sessions, which broadcasts go to. No other has this name: it is not valid. */
export const everyone = '\0everyone';

/** What handlers and logs call a room: the one of all sessions has no name. */
export function publicNameOf(name: string): string {
  return name === everyone ? '' : name;
}

/**
 * Names are compared byte by byte: `Lobby` is not `lobby`, and nothing in a name has a meaning of its own.
 *
 * @throws YodelError `YODEL_INVALID_ROOM` unless it has 1 to 128 bytes of UTF-8 and no control characters
 */
export function checkRoomName(name: unknown): asserts name is string {
  checkName(name, 'room');
}

/** As {@link checkRoomName}. @throws YodelError `YODEL_INVALID_ROOM` */
export function checkMemberName(name: unknown): asserts name is string {
  checkName(name, 'member');
}

/** Whether another process may call a room, or a member, like this. */
export function isName(name: string): boolean {
  return reasonAgainst(name) === undefined;
}

function checkName(name: unknown, owner: string): asserts name is string {
  const reason = reasonAgainst(name);
  if (reason !== undefined) throw new YodelError('YODEL_INVALID_ROOM', `the name of a ${owner} ${reason}`);
}

function reasonAgainst(name: unknown): string | undefined {
  if (typeof name !== 'string') return `is text, not ${typeof name}`;
  if (name === '') return 'has at least 1 byte';
  const size = Buffer.byteLength(name);
  if (size > longestName) return `has at most ${longestName} bytes, not ${size}`;
  if (/\p{Cc}/u.test(name)) return 'has no control characters';
  // Not text that two processes would agree on.
  if (!name.isWellFormed()) return 'is well-formed Unicode';
  return undefined;
}
