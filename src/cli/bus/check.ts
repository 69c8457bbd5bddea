/** Runs `yodel bus check`. */
import { adviceFor } from '../../bus/broker/inspect/advice.ts';
import { inspectBus } from '../../bus/broker/inspect/inspect.ts';
import { escapeJson } from '../../terminal/escape.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';
import { readBus } from '../bus-settings.ts';
import { exitStatus, report, statusOf, UsageError } from '../fail.ts';
import { print } from '../output.ts';
import type { BusCheckFlags } from './flags.ts';
import { formatInspection } from './format.ts';

/** Prints what is found out, and exits: a connection that is not responding would keep the process alive. */
export async function checkBus(url: string | undefined, flags: BusCheckFlags): Promise<void> {
  const status = await check(url, flags).catch((error: unknown) => {
    report(error);
    return statusOf(error);
  });
  process.stderr.write('', () => process.exit(status));
}

async function check(url = process.env.YODEL_BUS, flags: BusCheckFlags): Promise<number> {
  if (url === undefined || url === '') throw new UsageError('name the bus: yodel bus check URL, or set YODEL_BUS');
  const inspection = await inspectBus(await readBus(url, flags), flags.monitor);
  const advice = adviceFor(inspection);
  if (flags.json) await print(`${escapeJson(JSON.stringify({ ...flat(inspection), ...advice }))}\n`);
  else await print(formatInspection(inspection, advice, paintFor(wantsColor(process.stdout))));
  if (advice.problems.length > 0) return exitStatus.failure;
  return flags.strict && advice.warnings.length > 0 ? exitStatus.unmet : exitStatus.good;
}

function flat({ facts, ...rest }: Awaited<ReturnType<typeof inspectBus>>): object {
  return { ...rest, ...facts };
}
