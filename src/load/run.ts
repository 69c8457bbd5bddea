import type { IntervalListener } from './generator.ts';
import { localPart } from './local-part.ts';
import type { Part } from './part.ts';
import { payloadsOf } from './payload.ts';
import { type LoadSettings, type LoadShare, sharesOf } from './plan.ts';
import { Collection, progressOf } from './result/collection.ts';
import type { BenchProgress } from './result/report.ts';
import { endOfAll, type RunResult } from './result/result.ts';
import { startWorkers } from './workers.ts';

/** The start is set this far ahead, so that no process starts late. */
const startAheadMs = 5;
/** As `startAheadMs`, but for several processes, which have to receive the start time first. */
const startProcessesAheadMs = 50;

/** A running load test. */
export interface LoadRun {
  /**
   * Resolves with the result, also when it was stopped.
   *
   * @throws YodelError when no connection could be opened
   */
  readonly done: Promise<RunResult>;
  /** Ends at once. */
  stop(): void;
}

/**
 * Starts a load test, in this process or in several.
 *
 * @param onProgress called about once a second
 * @throws YodelError `YODEL_INVALID_OPTION` when the settings contradict each other
 */
export function startLoad(settings: LoadSettings, onProgress: (progress: BenchProgress) => void): LoadRun {
  // Check here, so that contradicting settings are reported once and not by each process.
  if (!settings.transcript) payloadsOf(settings);
  const shares = sharesOf(settings);
  const collection = new Collection(shares.length);
  const listen =
    (process: number): IntervalListener =>
    (index, tally, up, isLast) => {
      const interval = collection.add(process, index, tally, up, isLast);
      if (interval) onProgress(progressOf(interval, collection, settings));
    };
  const parts: Part[] =
    shares.length === 1 && shares[0] ? [partHere(shares[0], listen(0))] : startWorkers(shares, listen);
  const stopped = Promise.withResolvers<undefined>();
  return {
    done: measure(settings, parts, collection, stopped.promise),
    stop() {
      for (const part of parts) part.stop();
      stopped.resolve(undefined);
    },
  };
}

async function measure(
  settings: LoadSettings,
  parts: readonly Part[],
  collection: Collection,
  stopped: Promise<undefined>,
): Promise<RunResult> {
  const failures = await Promise.race([Promise.all(parts.map((part) => part.open())), stopped]);
  const [failure] = failures ?? [];
  if (failure && failures?.every((one) => one !== undefined)) {
    for (const part of parts) part.stop();
    throw failure;
  }
  const startAt =
    performance.timeOrigin + performance.now() + (parts.length > 1 ? startProcessesAheadMs : startAheadMs);
  for (const part of parts) part.run(startAt);
  const end = endOfAll(await Promise.all(parts.map((part) => part.ended)));
  return { settings, collection, started: new Date(startAt), ...end };
}

function partHere(share: LoadShare, listen: IntervalListener): Part {
  const part = localPart(share, listen);
  return {
    open: () => part.open(),
    run: (startAt) => part.run(startAt - performance.timeOrigin),
    ended: part.ended,
    stop: () => part.stop(),
  };
}
