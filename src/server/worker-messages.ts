/** The messages between a server's parent process and its workers. */

/** From the parent. `Work` is what to serve, as plain data. */
export type WorkerCommand<Work> =
  | { readonly serve: Work }
  /** Changes the work. The response has the same number. */
  | { readonly reload: Work; readonly number: number }
  /** Sent with a socket that was accepted at that address. The worker acknowledges it. */
  | { readonly connectionAt: string; readonly number: number }
  | { readonly metrics: number }
  | { readonly drain: true };

/** From a worker. */
export type WorkerReport =
  | { readonly listening: true }
  /** It accepts no more connections. */
  | { readonly draining: true }
  /** Without a reason, it succeeded. */
  | { readonly reloaded: number; readonly refused?: string | undefined }
  | { readonly received: number }
  | { readonly metrics: number; readonly text: string };
