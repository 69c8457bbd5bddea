/** `yodel serve chat`. */
import { InvalidArgumentError } from 'commander';
import { isPerson } from '../../../handlers/chat/person.ts';
import { chat } from '../../../handlers/chat.ts';
import type { ServerLimits, SessionLimits } from '../../../options.ts';
import { checkRoomName } from '../../../rooms/name.ts';
import type { HandlerObject } from '../../../session/handler.ts';
import type { HandlerFlag } from './handler-flag.ts';

/** Its flag. */
export const chatFlags: readonly HandlerFlag[] = [
  {
    flags: '--room <name>',
    description:
      'chat: allow only this room; can be repeated; everyone is in the first one at the start (default: any, and lobby)',
    check: readRoom,
    canRepeat: true,
  },
];

/** The limits of a chat, where no flag says others: more than a person types, and time to be silent. */
export const chatLimits: Partial<ServerLimits & SessionLimits> = {
  rate: 10,
  idleTimeout: 12 * 3_600_000,
};

/** The rooms that the flags name; undefined: any. */
export function roomsOf(flags: Readonly<Record<string, unknown>>): readonly string[] | undefined {
  return flags.room as readonly string[] | undefined;
}

/** The handler. Everything is allowed that the flags do not forbid. */
export function chatHandler(flags: Readonly<Record<string, unknown>>): HandlerObject {
  const rooms = roomsOf(flags);
  const authorize = (room: string) => rooms === undefined || rooms.includes(room) || isPerson(room);
  return chat({ room: rooms?.[0], authorize });
}

function readRoom(name: string): void {
  try {
    checkRoomName(name);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  if (/\s/u.test(name)) throw new InvalidArgumentError('The name of a room has no spaces.');
  if (isPerson(name)) throw new InvalidArgumentError('The name of a room has no @ at its beginning.');
}
