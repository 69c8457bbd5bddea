/** The bus of `yodel serve --bus`. Loaded only when the flag is given. */
import type { BusSettings } from '../../bus/open.ts';
import { dangersOf, readBus } from '../bus-settings.ts';
import type { Notify } from './outputs.ts';

export { busWith } from '../../bus/open.ts';

/** The bus that the flags describe. @throws as {@link readBus} */
export async function readServeBus(flags: Readonly<Record<string, unknown>>): Promise<BusSettings> {
  return { ...(await readBus(String(flags.bus), flags)), required: flags.busRequired === true };
}

/** Says what is dangerous about the bus. */
export function warnOfBus(bus: BusSettings, notify: Notify): void {
  for (const danger of dangersOf(bus)) notify(danger);
}
