/** Requests for a WebSocket that an HTTP server of the program passes on. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { YodelError } from '../errors.ts';
import { refuseUnknown } from '../option-values.ts';
import { isRequestTo } from '../transport/requested-path.ts';
import type { AttachedUpgrades, AttachOptions } from '../transport/websocket/attached.ts';

/** Options of `Server.handleUpgrade`. */
export interface HandleUpgradeOptions {
  /**
   * The IP address of the client, if the program knows it better than the socket: from a header such as `X-Forwarded-For` of a proxy
   * that it trusts. The rules about peers and the log use it. Default: the other end of the socket.
   */
  readonly client?: string | undefined;
}

/** Those that are taken: two servers cannot share one. */
const sockets = new WeakSet<Duplex>();

/** Serves such requests. What that needs is loaded for the first one. */
export class Attached {
  readonly #path: string;
  readonly #options: AttachOptions;
  #loading: Promise<AttachedUpgrades> | undefined;
  #isAbandoned = false;

  constructor(path: string | undefined, options: AttachOptions) {
    this.#path = path ?? '/';
    this.#options = options;
  }

  /** Returns whether the request is for this server. @throws YodelError `YODEL_INVALID_OPTION` */
  handle(request: IncomingMessage, socket: Duplex, head: Uint8Array, options: HandleUpgradeOptions): boolean {
    refuseUnknown(options, ['client'], 'handleUpgrade()');
    if (!areOfUpgrade(request, socket, head)) throw invalid(`handleUpgrade() takes ${ofUpgrade}`);
    if (!isRequestTo(this.#path, request)) return false;
    if (sockets.has(socket)) {
      this.#options.failed(takenTwice());
      return true;
    }
    sockets.add(socket);
    const { client } = options;
    // Without a listener, an error event would end the process.
    socket.on('error', ignore);
    this.#loading ??= this.#load();
    void this.#loading.then((upgrades) => upgrades.serve({ request, socket, head, client }));
    return true;
  }

  /** Ends the handshakes that are not complete. */
  abandon(): void {
    this.#isAbandoned = true;
    void this.#loading?.then((upgrades) => upgrades.abandon());
  }

  async #load(): Promise<AttachedUpgrades> {
    const { AttachedUpgrades } = await import('../transport/websocket/attached.ts');
    const upgrades = new AttachedUpgrades(this.#options);
    if (this.#isAbandoned) upgrades.abandon();
    return upgrades;
  }
}

const ofUpgrade = 'the request, the socket and the head, as the event "upgrade" of an HTTP server of Node.js has them';

/** Requests of the Fetch API, for example, have no `rawHeaders`. */
function areOfUpgrade(request: unknown, socket: unknown, head: unknown): boolean {
  const { rawHeaders } = (request ?? {}) as Partial<IncomingMessage>;
  const { write, destroy } = (socket ?? {}) as Partial<Duplex>;
  const isStream = typeof write === 'function' && typeof destroy === 'function';
  return Array.isArray(rawHeaders) && isStream && head instanceof Uint8Array;
}

function takenTwice(): YodelError {
  return invalid(
    'handleUpgrade() was given a socket that a server has taken: of several servers, give each its own "upgradePath"',
  );
}

function invalid(text: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', text);
}

function ignore(): void {}
