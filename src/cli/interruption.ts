/** Ctrl-C and SIGTERM, for commands that stop gracefully. */

/** The state of an interruption. */
export interface Interruption {
  /** Aborted by the first signal; the command can abort it for other reasons too. */
  readonly stopped: AbortController;
  /** The exit status for the received signal; undefined if there was none. */
  readonly status: number | undefined;
  /** Stops handling signals. */
  done(): void;
}

/** Starts handling both signals, each once: a second Ctrl-C ends the process. */
export function onInterruption(): Interruption {
  const stopped = new AbortController();
  let status: number | undefined;
  const stop = (signal: NodeJS.Signals) => {
    status = signal === 'SIGINT' ? 130 : 143;
    stopped.abort();
  };
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return {
    stopped,
    get status() {
      return status;
    },
    done: () => void process.off('SIGINT', stop).off('SIGTERM', stop),
  };
}
