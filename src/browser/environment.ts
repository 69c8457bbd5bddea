/**
 * What this module uses of its surroundings: a page, a worker, or another runtime with a global WebSocket (Node, Bun, Deno). The
 * types are written out, so that programs compile with and without the types of the DOM.
 */

/** The part of the WebSocket API that is used. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: SocketClose) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** Why a WebSocket was closed. */
export interface SocketClose {
  /** 1006: the connection broke, or there was none. */
  readonly code: number;
  readonly reason: string;
}

/** Creates a WebSocket, which connects at once. */
export type SocketConstructor = new (url: string) => Socket;

/** What dispatches events: `window`, `document`. */
export interface EventSource {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** The globals that are used. Those of pages are missing elsewhere. */
export interface Environment extends Partial<EventSource> {
  readonly WebSocket?: SocketConstructor;
  readonly location?: { readonly href: string; readonly origin: string };
  readonly document?: EventSource & { readonly visibilityState: string };
  readonly navigator?: { readonly onLine?: boolean };
  readonly fetch?: (url: string, options: object) => Promise<unknown>;
}

/** The globals of this runtime. */
export const globals: Environment = globalThis as unknown as Environment;
