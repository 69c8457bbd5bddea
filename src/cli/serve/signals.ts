/** The signals that `yodel serve` obeys. */
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { Say } from './outputs.ts';

/** What signals do. */
export interface SignalActions {
  /** Ends in order. */
  end(): void;
  /** Ends now, without a word to anybody, before the process does. */
  endAtOnce?(): void;
  reload(): void;
  /** What has to be ended, in words, if anything has: `3 connections`. */
  underWay(): string | undefined;
  readonly say: Say;
  /** Ends the line on which the terminal has printed ^C. */
  endLine(): void;
}

/**
 * The first SIGTERM or SIGINT drains, the second ends at once. SIGHUP reloads; but when it comes because the terminal is gone,
 * it is as SIGTERM.
 */
export function obeySignals(actions: SignalActions): { done(): void } {
  const hasTerminal = () => [0, 1, 2].some((descriptor) => isatty(descriptor));
  const hadTerminal = hasTerminal();
  let ending = false;
  const end = (signal: NodeJS.Signals) => {
    if (ending) {
      actions.endAtOnce?.();
      process.exit(128 + constants.signals[signal]);
    }
    ending = true;
    if (signal === 'SIGINT' && isatty(2)) actions.endLine();
    const what = actions.underWay();
    if (what !== undefined) {
      actions.say(`ending ${what}; ${signal === 'SIGINT' ? 'Ctrl-C' : signal} again ends at once`);
    }
    actions.end();
  };
  const hungUp = (signal: NodeJS.Signals) => (hadTerminal && !hasTerminal() ? end(signal) : actions.reload());
  process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', hungUp);
  return { done: () => void process.off('SIGINT', end).off('SIGTERM', end).off('SIGHUP', hungUp) };
}
