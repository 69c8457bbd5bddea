/** Options of one request. */
export interface RequestOptions {
  /** The time limit for the reply, in milliseconds; 0 for none. Default: the option `requestTimeout`. */
  readonly timeoutMs?: number | undefined;
  /** Gives up on the reply: the request rejects with the signal's reason. The message stays sent. */
  readonly signal?: AbortSignal | undefined;
}
