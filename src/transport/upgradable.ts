/**
 * Connections that go on over TLS after they have carried plain text: STARTTLS of SMTP, IMAP and POP3, `AUTH TLS` of FTP,
 * the SSLRequest of PostgreSQL.
 *
 * | State     | Received bytes go to   | Written bytes go          | Next state                                        |
 * |-----------|------------------------|---------------------------|---------------------------------------------------|
 * | plain     | the receiver           | to the connection         | upgrading: `startTls` or `acceptTls`              |
 * | upgrading | the TLS handshake      | nowhere: they wait        | secure, or closed: the handshake failed           |
 * | secure    | TLS, then the receiver | through TLS               | closed                                            |
 *
 * The receiver stays the same. Uses `node:tls` on both runtimes, over any connection; it is loaded by the first upgrade.
 */
import type { TLSSocket } from 'node:tls';
import { type Address, hostOf } from '../address.ts';
import { YodelError } from '../errors.ts';
import { ConnectionStream } from './connection-stream.ts';
import type { Connection, MemoryKeeper, Receiver, Security, ServerTls, TlsOptions } from './transport.ts';

/** Much longer than received bytes take through a stream. */
const lastBytesMs = 100;

/** A connection that can be upgraded to TLS, once. Wrap a connection before its `start`. */
export class UpgradableConnection implements Connection {
  /** The connection that carries the bytes, plain or encrypted. */
  readonly #carrier: Connection;
  #receiver: Receiver | undefined;
  #stream: ConnectionStream | undefined;
  #socket: TLSSocket | undefined;
  #secure: Connection | undefined;
  #security: Security | undefined;
  /** Ends the handshake with an error, if it has not ended. */
  #leftEarly: () => void = () => undefined;
  /** Writes that wait for the end of the handshake. */
  #waiting: Uint8Array[] = [];
  #isPaused = false;
  #isEnding = false;
  #isClosed = false;

  constructor(carrier: Connection) {
    this.#carrier = carrier;
  }

  get local(): Address {
    return this.#carrier.local;
  }

  get peer(): Address {
    return this.#carrier.peer;
  }

  get chunksAreBorrowed(): boolean {
    return (this.#secure ?? this.#carrier).chunksAreBorrowed;
  }

  get awaitsTurn(): boolean | undefined {
    return this.#secure?.awaitsTurn || this.#carrier.awaitsTurn;
  }

  get framing(): Connection['framing'] {
    return this.#carrier.framing;
  }

  get handshake(): Connection['handshake'] {
    return this.#carrier.handshake;
  }

  /** Of the upgrade, or of a connection that was encrypted from the beginning. */
  get security(): Security | undefined {
    return this.#security ?? this.#carrier.security;
  }

  get unsent(): number {
    return this.#waitingBytes + (this.#secure ?? this.#carrier).unsent;
  }

  get unsentMemory(): number {
    const { unsent, unsentMemory = unsent } = this.#secure ?? this.#carrier;
    return this.#waitingBytes + unsentMemory;
  }

  get #waitingBytes(): number {
    return this.#waiting.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  get keeper(): MemoryKeeper | undefined {
    return this.#receiver?.keeper;
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#carrier.start({
      keeper: receiver.keeper,
      onData: (chunk) => (this.#stream ?? receiver).onData(chunk),
      onEnd: () => {
        (this.#stream ?? receiver).onEnd();
        // The end of its handshake may still be on its way through the stream.
        if (this.#isUpgrading) setTimeout(() => this.#leftEarly(), lastBytesMs);
      },
      onDrain: () => (this.#stream ?? receiver).onDrain(),
      onClose: (error) => {
        this.#stream?.onClose(error);
        // An encrypted stream does not notice that the one below it broke.
        if (error) this.#socket?.destroy(error);
        // A handshake that is cut off reports its own error.
        if (this.#isUpgrading) setTimeout(() => this.#leftEarly(), lastBytesMs);
        else if (!this.#secure) this.#closed(error);
      },
    });
  }

  write(bytes: Uint8Array): void {
    if (this.#isUpgrading) this.#waiting.push(Buffer.from(bytes));
    else (this.#secure ?? this.#carrier).write(bytes);
  }

  pause(): void {
    this.#isPaused = true;
    if (!this.#isUpgrading) (this.#secure ?? this.#carrier).pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isUpgrading) (this.#secure ?? this.#carrier).resume();
  }

  probe(): void {
    this.#carrier.probe?.();
  }

  end(why?: YodelError): void {
    this.#isEnding = true;
    if (!this.#isUpgrading) (this.#secure ?? this.#carrier).end(why);
  }

  release(): void {
    if (this.#secure) this.#secure.release();
    else this.#carrier.release();
  }

  abort(why?: YodelError): void {
    this.#secure?.abort(why);
    this.#carrier.abort(why);
  }

  /**
   * Goes on over TLS as its client, and resolves when the handshake is complete. All bytes that arrive from now on belong to it.
   *
   * @throws YodelError `YODEL_TLS` when the certificate is not trusted, or the server does not speak TLS; the connection is
   *   closed then
   */
  async startTls(options: TlsOptions): Promise<void> {
    const stream = this.#begin();
    const { clientSocket, clientError } = await import('./tls/upgrade.ts');
    try {
      const socket = clientSocket(stream, hostOf(this.peer) ?? 'localhost', options);
      const completed = new Promise<void>((resolve, reject) => {
        socket
          .once('secureConnect', resolve)
          .once('error', reject)
          .once('close', () => this.#leftEarly());
      });
      await this.#handshake(socket, completed);
      await this.#complete(socket, false);
    } catch (error) {
      throw this.#failed(clientError(error, this.peer));
    }
  }

  /**
   * Goes on over TLS as its server, and resolves when the handshake is complete. All bytes that arrive from now on belong to it.
   *
   * @throws YodelError `YODEL_TLS` when the handshake fails, or a certificate does not fit its key; the connection is closed then
   */
  async acceptTls(options: ServerTls): Promise<void> {
    const stream = this.#begin();
    const { serverHandshake, serverError } = await import('./tls/upgrade.ts');
    try {
      const { socket, completed } = serverHandshake(stream, options);
      await this.#handshake(socket, completed);
      await this.#complete(socket, true);
    } catch (error) {
      throw this.#failed(serverError(error));
    }
  }

  get #isUpgrading(): boolean {
    return this.#stream !== undefined && this.#secure === undefined && !this.#isClosed;
  }

  #begin(): ConnectionStream {
    if (this.#stream || this.#carrier.security)
      throw new YodelError('YODEL_TLS', 'the connection is encrypted already');
    const stream = new ConnectionStream(this.#carrier);
    this.#stream = stream;
    // The handshake needs what its receiver may not want now.
    this.#carrier.resume();
    return stream;
  }

  async #handshake(socket: TLSSocket, completed: Promise<void>): Promise<void> {
    this.#socket = socket;
    await new Promise<void>((resolve, reject) => {
      this.#leftEarly = () => reject(new Error('the peer ended the connection during the TLS handshake'));
      completed.then(resolve, reject);
    });
  }

  #failed(error: unknown): unknown {
    this.#carrier.abort();
    this.#closed(error as Error);
    return error;
  }

  async #complete(socket: TLSSocket, isServer: boolean): Promise<void> {
    const { encryptedConnection, securityOf } = await import('./tls/upgrade.ts');
    this.#security = securityOf(socket);
    const secure = encryptedConnection(
      socket,
      this.#stream as ConnectionStream,
      this.peer,
      isServer ? this.#security : undefined,
    );
    this.#secure = secure;
    const receiver = this.#receiver as Receiver;
    secure.start({
      keeper: receiver.keeper,
      onData: (chunk) => receiver.onData(chunk),
      onEnd: () => receiver.onEnd(),
      onDrain: () => receiver.onDrain(),
      onClose: (error) => {
        this.#carrier.release();
        this.#closed(error);
      },
    });
    if (this.#isPaused) secure.pause();
    for (const bytes of this.#waiting.splice(0)) secure.write(bytes);
    if (this.#isEnding) secure.end();
  }

  #closed(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const receiver = this.#receiver;
    queueMicrotask(() => receiver?.onClose(error));
  }
}
