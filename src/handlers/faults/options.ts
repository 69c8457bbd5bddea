/** The faults that can be configured. */
import { YodelError } from '../../errors.ts';
import { checkOption } from '../../option-values.ts';
import { longestDuration } from '../../options.ts';

/** Options of {@link withFaults}. Times are milliseconds, shares are numbers from 0 to 1. All are off by default. */
export interface Faults {
  /** How long each reply is delayed. The delays of several replies run at the same time. */
  readonly delay?: number | undefined;
  /** A random part of each delay: up to this much shorter or longer. */
  readonly jitter?: number | undefined;
  /** The share of replies that are not sent. */
  readonly drop?: number | undefined;
  /** The share of replies in which one bit of the message is flipped. The frame stays intact, so that its end can still be found. */
  readonly corrupt?: number | undefined;
  /** The share of replies that are replaced by a reset of the connection. Earlier replies are sent first. */
  readonly reset?: number | undefined;
  /** Closes the connection normally after this number of replies, including dropped ones. */
  readonly closeAfter?: number | undefined;
  /** Splits each reply into writes of this number of bytes, a millisecond apart. */
  readonly chunk?: number | undefined;
  /** From 0 to 4294967295. The same seed produces the same faults. Default: a random one. */
  readonly seed?: number | undefined;
}

/** @throws YodelError `YODEL_INVALID_OPTION` */
export function checkFaults(faults: Faults): void {
  const { delay, jitter, closeAfter, chunk, seed } = faults;
  for (const [name, value] of Object.entries({ delay, jitter })) {
    if (value !== undefined) checkOption(name, { kind: 'duration', off: 'none', max: longestDuration }, value);
  }
  for (const [name, value] of Object.entries({ closeAfter, chunk })) {
    if (value !== undefined) checkOption(name, { kind: 'count', off: 'never' }, value);
  }
  if (seed !== undefined) checkOption('seed', { kind: 'count', off: '0', max: 2 ** 32 - 1 }, seed);
  for (const name of ['drop', 'corrupt', 'reset'] as const) {
    const share = faults[name] ?? 0;
    if (typeof share === 'number' && share >= 0 && share <= 1) continue;
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `the option "${name}" takes a share from 0 to 1, not ${String(share)}`,
    );
  }
}
