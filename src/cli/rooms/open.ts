/** Opens the rooms of servers for `yodel publish` and `yodel subscribe`, and says on stderr how the bus is. */
import { busWith } from '../../bus/open.ts';
import { openRooms, type SharedRooms } from '../../members/shared-rooms.ts';
import { serverOptions } from '../../options.ts';
import { checkRoomName } from '../../rooms/name.ts';
import { escapeText } from '../../terminal/escape.ts';
import { dangersOf, readBus } from '../bus-settings.ts';
import { UsageError } from '../fail.ts';
import { tableValues } from '../flags.ts';
import type { RoomFlags } from './flags.ts';

/** What the commands do with rooms. */
export interface OpenedRooms {
  readonly rooms: SharedRooms;
  /** Whether messages can be stored, and histories read, now. */
  readonly canStore: boolean;
}

/**
 * Opens the rooms of the bus that the flags name.
 *
 * @param lost called whenever the connection to the bus is lost
 * @throws UsageError, YodelError
 */
export async function openRoomsOf(
  command: 'publish' | 'subscribe',
  room: string,
  flags: RoomFlags,
  lost?: () => void,
): Promise<OpenedRooms> {
  checkRoomName(room);
  const { bus: url } = flags;
  if (url === undefined || url === '') {
    const example = `yodel ${command} ${/^[\w-]+$/.test(room) ? room : 'ROOM'} --bus redis://127.0.0.1:6379`;
    throw new UsageError(`which bus? Example: ${example}; or set YODEL_BUS`);
  }
  const settings = await readBus(url, flags);
  for (const danger of dangersOf(settings)) notify(danger);
  const bus = busWith({ ...settings, required: true });
  let [isOpen, wasLost] = [false, false];
  const rooms = await openRooms(bus, {
    ...tableValues(serverOptions, { ...flags }),
    telemetry: {
      bus: (event, reason) => {
        // Why it cannot be opened is said by the error.
        const isNews = event === 'connected' ? wasLost || flags.verbose : isOpen || event === 'refused';
        if (isNews) notify(`bus ${event}: ${reason}`);
        if (event === 'connected') wasLost = false;
        else if (event === 'disconnected' && isOpen) {
          wasLost = true;
          lost?.();
        }
      },
    },
  });
  isOpen = true;
  return {
    rooms,
    get canStore() {
      return bus.store?.isReady === true;
    },
  };
}

/** A line on stderr. */
export function notify(text: string): void {
  process.stderr.write(`yodel: ${escapeText(text)}\n`);
}

/** How long a bus that is not responding may delay the end, in milliseconds. */
const closeMs = 2000;

/** Disconnects, and ends the process: what the bus has not answered would keep it alive. */
export async function leave(rooms: SharedRooms | undefined, status: number): Promise<never> {
  if (rooms) await Promise.race([rooms.close(), new Promise((resolve) => setTimeout(resolve, closeMs))]);
  return await new Promise<never>(() => process.stderr.write('', () => process.exit(status)));
}
