/** Why a member that reads too slowly is closed. */
import { YodelError } from '../../errors.ts';
import { publicNameOf } from '../name.ts';

/** @param room its name, or that of the room of all sessions */
export function fellBehind(room: string, messages: number): YodelError {
  const name = publicNameOf(room);
  const what = messages === 1 ? '1 message' : `${messages} messages`;
  const where = name === '' ? '' : ` in room ${JSON.stringify(name)}`;
  return new YodelError('YODEL_FELL_BEHIND', `fell ${what} behind${where}`);
}
