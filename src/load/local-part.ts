import type { YodelError } from '../errors.ts';
import { Generator, type GeneratorEnd, type IntervalListener } from './generator.ts';
import type { LoadShare } from './plan.ts';
import { ScenarioGenerator } from './scenario/generator.ts';
import { warmUpScenario } from './scenario/warm-up.ts';
import { warmUpAndOpen } from './warm-up.ts';

/** What generates the load of one process. Times are on the clock of `performance.now()`. */
export interface LocalPart {
  /** Warms up and connects. Resolves with the first error when every attempt failed. */
  open(): Promise<YodelError | undefined>;
  run(startAt: number): void;
  readonly ended: Promise<GeneratorEnd>;
  stop(): void;
}

/** Creates the generator of a share: of messages, or of a transcript. @throws YodelError when the settings contradict each other */
export function localPart(share: LoadShare, listen: IntervalListener): LocalPart {
  const { settings } = share;
  if (settings.transcript) return scenarioPart(share, listen);
  const generator = new Generator(share, listen);
  return {
    open: () => warmUpAndOpen(generator, settings),
    run: (startAt) => generator.run(startAt),
    ended: generator.ended,
    stop: () => generator.stop(),
  };
}

function scenarioPart(share: LoadShare, listen: IntervalListener): LocalPart {
  const generator = new ScenarioGenerator(share, listen);
  return {
    async open() {
      await warmUpScenario(share.settings);
      return await generator.open();
    },
    run: (startAt) => generator.run(startAt),
    ended: generator.ended,
    stop: () => generator.stop(),
  };
}
