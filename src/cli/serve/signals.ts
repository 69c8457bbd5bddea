/** The signals that `yodel serve` handles. */
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { Notify } from './outputs.ts';

/** What signals cause. */
export interface SignalActions {
  /** Shuts down gracefully. */
  drain(): void;
  /** Cleans up before the process exits at once. */
  exitAtOnce?(): void;
  reload(): void;
  /** What is left to drain, in words: `3 connections`; undefined for nothing. */
  inFlight(): string | undefined;
  readonly notify: Notify;
  /** Ends the line on which the terminal printed ^C. */
  endLine(): void;
}

/**
 * The first SIGTERM or SIGINT drains, the second exits at once. SIGHUP reloads, unless it arrives because the terminal is
 * gone: then it is treated as SIGTERM.
 */
export function handleSignals(actions: SignalActions): { close(): void } {
  const hasTerminal = () => [0, 1, 2].some((descriptor) => isatty(descriptor));
  const hadTerminal = hasTerminal();
  let draining = false;
  const drain = (signal: NodeJS.Signals) => {
    if (draining) {
      actions.exitAtOnce?.();
      process.exit(128 + constants.signals[signal]);
    }
    draining = true;
    if (signal === 'SIGINT' && isatty(2)) actions.endLine();
    const what = actions.inFlight();
    if (what !== undefined) {
      actions.notify(`draining ${what}; ${signal === 'SIGINT' ? 'Ctrl-C' : signal} again exits at once`);
    }
    actions.drain();
  };
  const hungUp = (signal: NodeJS.Signals) => (hadTerminal && !hasTerminal() ? drain(signal) : actions.reload());
  process.on('SIGINT', drain).on('SIGTERM', drain).on('SIGHUP', hungUp);
  return { close: () => void process.off('SIGINT', drain).off('SIGTERM', drain).off('SIGHUP', hungUp) };
}
