/** Ctrl-C and SIGTERM, for commands that end what they do in order. */

/** Whether it was interrupted. */
export interface Interruption {
  /** Aborted by the first signal; also by whoever has another reason to stop. */
  readonly stopped: AbortController;
  /** The exit status of the signal that came; undefined when none did. */
  readonly status: number | undefined;
  /** Leaves signals alone again. */
  done(): void;
}

/** Begins to take the two signals: each once, so that a second Ctrl-C ends the process. */
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
