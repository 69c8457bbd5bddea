/** The messages between a server's parent process and its workers. */

/** From the parent. `Work` is what to serve, as plain data. */
export type WorkerCommand<Work> =
  | { readonly serve: Work }
  /** Changes the work. The response has the same number. */
  | { readonly reload: Work; readonly number: number }
  /** Sent with a socket that was accepted at that address. The worker acknowledges it before it touches it. */
  | { readonly connectionAt: string; readonly number: number }
  | { readonly metrics: number }
  /** Shuts the worker down, without a delay. */
  | { readonly drain: true };

/** From a worker. */
export type WorkerReport =
  /** Sent at intervals: its event loop runs. */
  | { readonly alive: true }
  | { readonly listening: true }
  /** It accepts no more connections. */
  | { readonly draining: true }
  /** Its connection to the bus between servers. */
  | { readonly bus: 'connected' | 'disconnected' }
  /** Without a reason, it succeeded. */
  | { readonly reloaded: number; readonly refused?: string | undefined }
  | { readonly received: number }
  /** It does not accept this connection, and has not touched it. */
  | { readonly returned: number }
  | { readonly metrics: number; readonly text: string };
