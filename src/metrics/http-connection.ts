/** One connection of the HTTP server: it carries one request and its response. */
import type { Clock, Timer } from '../clock.ts';
import type { Connection, Receiver } from '../transport/transport.ts';
import { endOfHead } from '../transport/websocket/http-head.ts';
import { type HttpRefusal, type HttpRequest, parseRequestHead, type RequestHead } from './http-request.ts';

/** The server, as its connections see it. */
export interface ConnectionOwner {
  /** The longest body, in bytes. */
  readonly maxBody: number;
  readonly clock: Clock;
  /** The request is complete; the connection reads no more until it is answered. */
  requested(connection: HttpConnection, request: HttpRequest): void;
  /** There is no valid request. */
  refused(connection: HttpConnection, refusal: HttpRefusal): void;
  closed(connection: HttpConnection): void;
}

/** Longer than any that operators and their programs send. */
const maxHead = 8192;
/** From its beginning to its end, a connection may take this long. */
const timeoutMs = 5000;
/** After the response, what the client still sends is read and dropped, so that a reset does not destroy the response. */
const lingerMs = 1000;
const maxDropped = 1_048_576;
const nothing = Buffer.alloc(0);

/**
 * | State     | Reads                      | Continues when                         |
 * |-----------|----------------------------|----------------------------------------|
 * | receiving | a head, and its body       | both are complete, or invalid          |
 * | waiting   | nothing                    | `respond`                              |
 * | lingering | and drops                  | the client ends its side, or `lingerMs` after the response is sent |
 * | closed    |                            |                                        |
 *
 * In each state it is closed `timeoutMs` after it began.
 */
export class HttpConnection implements Receiver {
  readonly #connection: Connection;
  readonly #owner: ConnectionOwner;
  #state: 'receiving' | 'waiting' | 'lingering' | 'closed' = 'receiving';
  /** What has arrived of the head, and then of the body. */
  #bytes: Buffer = nothing;
  #head: RequestHead | undefined;
  #dropped = 0;
  #hasPeerEnded = false;
  #timer: Timer;

  constructor(connection: Connection, owner: ConnectionOwner) {
    this.#connection = connection;
    this.#owner = owner;
    this.#timer = this.#owner.clock.deadline(timeoutMs, () => this.abort());
    connection.start(this);
  }

  /** Whether its request is not complete: it is the first to go when there are too many. */
  get isIncomplete(): boolean {
    return this.#state === 'receiving';
  }

  /** Sends the response, and closes the connection when the client has received it. */
  respond(response: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#state = 'lingering';
    this.#connection.write(response);
    this.#connection.end();
    this.#connection.resume();
    this.#closeWhenSent();
  }

  abort(): void {
    this.#timer.cancel();
    this.#connection.abort();
    this.#over();
  }

  onData(chunk: Uint8Array): void {
    if (this.#state === 'lingering') this.#drop(chunk.length);
    if (this.#state !== 'receiving') return;
    const seen = this.#bytes.length;
    const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, Math.min(chunk.length, this.#room));
    // Usually a request is one chunk, and nothing is copied.
    this.#bytes = seen === 0 ? fresh : Buffer.concat([this.#bytes, fresh]);
    if (this.#head || this.#readHead(seen)) this.#readBody();
    // The chunk may be borrowed.
    if (this.#state === 'receiving') this.#bytes = Buffer.from(this.#bytes);
    else this.#bytes = nothing;
  }

  onEnd(): void {
    this.#hasPeerEnded = true;
    if (this.#state === 'receiving') this.abort();
    else this.#closeWhenSent();
  }

  onDrain(): void {
    this.#closeWhenSent();
  }

  onClose(): void {
    this.#timer.cancel();
    this.#over();
  }

  /** How many more bytes are of interest. */
  get #room(): number {
    return (this.#head ? this.#head.bodyLength : maxHead + this.#owner.maxBody) - this.#bytes.length;
  }

  #readBody(): void {
    const { bodyLength, awaitsContinue: _, ...rest } = this.#head as RequestHead;
    if (this.#bytes.length < bodyLength) return;
    this.#wait();
    this.#owner.requested(this, { ...rest, body: this.#bytes.toString('utf8', 0, bodyLength) });
  }

  /** Returns whether the head is complete and valid. @param seen bytes that contain no end of the head */
  #readHead(seen: number): boolean {
    const end = endOfHead(this.#bytes.subarray(0, maxHead), seen);
    if (end === -1 && this.#bytes.length < maxHead) return false;
    if (end === undefined)
      return this.#refuse({ status: 400, error: 'this is not HTTP/1.1', hint: 'lines end with CRLF' });
    if (end === -1) {
      return this.#refuse({
        status: 431,
        error: `the head is longer than ${maxHead} bytes`,
        hint: 'send fewer headers',
      });
    }
    const head = parseRequestHead(this.#bytes.toString('latin1', 0, end - 4), this.#owner.maxBody);
    if ('status' in head) return this.#refuse(head);
    this.#head = head;
    this.#bytes = this.#bytes.subarray(end);
    const isBodyMissing = this.#bytes.length < head.bodyLength;
    if (head.awaitsContinue && isBodyMissing) this.#connection.write(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'));
    return true;
  }

  #refuse(refusal: HttpRefusal): false {
    this.#wait();
    this.#owner.refused(this, refusal);
    return false;
  }

  #wait(): void {
    this.#state = 'waiting';
    this.#connection.pause();
  }

  #drop(length: number): void {
    this.#dropped += length;
    if (this.#dropped > maxDropped) this.abort();
  }

  #closeWhenSent(): void {
    if (this.#state !== 'lingering' || this.#connection.unsent > 0) return;
    if (this.#hasPeerEnded) return this.#release();
    this.#timer.cancel();
    this.#timer = this.#owner.clock.deadline(lingerMs, () => this.#release());
  }

  #release(): void {
    this.#timer.cancel();
    this.#connection.release();
    this.#over();
  }

  #over(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#owner.closed(this);
  }
}
