/** WebSockets that a test plays, for a client of `yodel/browser` on a fake clock. */
import { expect, onTestFinished } from 'vitest';
import { connect } from '../../src/browser/connect.ts';
import type { Environment, Socket, SocketConstructor } from '../../src/browser/environment.ts';
import type { BrowserConnectOptions } from '../../src/browser/options.ts';
import type { Client } from '../../src/client/client.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { settled } from '../../src/testing/turns.ts';

/** A WebSocket of the browser. */
export class FakeSocket implements Socket {
  binaryType = 'blob';
  bufferedAmount = 0;
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  onerror: Socket['onerror'] = null;
  readonly url: string;
  /** What was sent before `close`. */
  readonly sent: (string | Uint8Array)[] = [];
  /** The code that `close` was called with first; 1005 for none. */
  closeCode: number | undefined;

  constructor(url: string) {
    this.url = url;
  }

  send(data: string | Uint8Array): void {
    if (this.closeCode === undefined) this.sent.push(data);
  }

  close(code = 1005): void {
    this.closeCode ??= code;
  }

  async opens(): Promise<void> {
    this.onopen?.(undefined as never);
    await settled();
  }

  async says(...messages: readonly (string | Uint8Array<ArrayBuffer>)[]): Promise<void> {
    for (const message of messages) {
      this.onmessage?.({ data: typeof message === 'string' ? message : message.slice().buffer });
    }
    await settled();
  }

  /** The connection has ended: with the code of a close frame, or 1006 without one. */
  async closes(code: number, reason = ''): Promise<void> {
    this.onclose?.({ code, reason });
    await settled();
  }
}

/** The globals of a page that is visible. Its server answers no HTTP, unless a test says otherwise. */
export class FakePage extends EventTarget implements Environment {
  WebSocket!: SocketConstructor;
  location = { href: 'https://app.example.org/start?a=b#c', origin: 'https://app.example.org' };
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  readonly navigator = { onLine: true };
  fetch: (url: string) => Promise<unknown> = () => Promise.reject(new TypeError('Failed to fetch'));
}

/** The server and the network. */
export class FakeSockets {
  readonly clock = new FakeClock();
  /** Those of all attempts to connect, in order. */
  readonly all: FakeSocket[] = [];
  readonly page = new FakePage();
  readonly #clients: Client[] = [];

  constructor() {
    const { all } = this;
    this.page.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(url);
        all.push(this);
      }
    };
    onTestFinished(async () => {
      for (const client of this.#clients) client.abort();
      await settled();
      for (const client of this.#clients) expect(client.state).toBe('closed');
      expect(this.clock.waiting, 'timers left').toBe(0);
    });
  }

  get newest(): FakeSocket {
    return this.all.at(-1) as FakeSocket;
  }

  /** A client whose first WebSocket is open. */
  async connect(options: BrowserConnectOptions = {}): Promise<Client> {
    const connecting = this.begin(options);
    await settled();
    await this.newest.opens();
    const client = await connecting;
    this.#clients.push(client);
    return client;
  }

  begin(options: BrowserConnectOptions = {}): Promise<Client> {
    return connect('ws://host/path', { clock: this.clock, environment: this.page, ...options });
  }

  async passes(milliseconds: number): Promise<void> {
    await this.clock.advance(milliseconds);
  }
}
