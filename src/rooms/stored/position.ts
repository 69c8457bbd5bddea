/** Positions: places in the histories of rooms, as texts that programs and clients keep. */
import { YodelError } from '../../errors.ts';
import { beginning, type Place } from './store.ts';

const form = /^([0-9a-z]{1,11})-([0-9a-z]{1,11})-([\w-]{16})$/;

/** The position of the beginning. */
const start = '0';

export function positionOf({ number, id, at }: Place): string {
  return number === 0 ? start : `${number.toString(36)}-${at.toString(36)}-${id}`;
}

/** @throws YodelError `YODEL_INVALID_POSITION` if a store has never given it */
export function placeOf(position: string): Place {
  if (position === start) return beginning;
  const [, number = '', at = '', id = ''] = form.exec(position) ?? [];
  const place = { number: Number.parseInt(number, 36), at: Number.parseInt(at, 36), id };
  if (Number.isSafeInteger(place.number) && Number.isSafeInteger(place.at) && place.number > 0) return place;
  throw new YodelError(
    'YODEL_INVALID_POSITION',
    `not a position in the history of a room: ${JSON.stringify(position)}`,
  );
}
