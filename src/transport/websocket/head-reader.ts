/** Reads the head of an HTTP message from a connection, and then passes its events on. */
import { YodelError } from '../../errors.ts';
import type { Connection, MemoryKeeper, Receiver } from '../transport.ts';
import { endOfHead, type HttpHead, maxHeadSize, parseHead } from './http-head.ts';

/** What arrived is no head. */
export class InvalidHead extends Error {
  /** The HTTP status for it, if it is a request. */
  readonly status: number;

  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

/** Receives the outcome: one of its methods is called once. */
export interface HeadReceiver {
  /** Whether a head may begin with this text: its first bytes, as many as have arrived. Others are not waited for. */
  mayBegin(start: string): boolean;
  /** Whether a head only announces another one, as a status of 1xx does. */
  isInterim?(head: HttpHead): boolean;
  /** Returns who receives the rest. @param rest what arrived after the head; belongs to the receiver */
  head(head: HttpHead, rest: Buffer): Receiver;
  /** There is no head ({@link InvalidHead}), or the connection is lost. Returns who receives the rest, if anybody does. */
  failed(error: Error): Receiver | undefined;
}

/** Starts to receive from the connection. */
export function readHead(connection: Connection, receiver: HeadReceiver): void {
  connection.start(new HeadReader(receiver));
}

/** How many bytes are enough to tell that something is not HTTP. */
const startSize = 8;
/** More interim heads than any server sends. */
const maxInterim = 16;

class HeadReader implements Receiver {
  readonly #receiver: HeadReceiver;
  #bytes: Buffer = Buffer.alloc(0);
  #interim = 0;
  #isOver = false;
  #next: Receiver | undefined;

  constructor(receiver: HeadReceiver) {
    this.#receiver = receiver;
  }

  get keeper(): MemoryKeeper | undefined {
    return this.#next?.keeper;
  }

  onData(chunk: Uint8Array): void {
    if (this.#isOver) return this.#next?.onData(chunk);
    const seen = this.#bytes.length;
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const end = endOfHead(this.#bytes.subarray(0, maxHeadSize), seen);
    const mayBegin = seen >= startSize || this.#receiver.mayBegin(this.#bytes.toString('latin1', 0, startSize));
    if (end === undefined || !mayBegin) this.#fail(new InvalidHead(400, 'not valid HTTP'));
    else if (end > 0) this.#parse(end);
    else if (this.#bytes.length >= maxHeadSize)
      this.#fail(new InvalidHead(431, `the HTTP headers are longer than ${maxHeadSize} bytes`));
  }

  onEnd(): void {
    if (this.#isOver) this.#next?.onEnd();
    else this.#fail(disconnected());
  }

  onDrain(): void {
    this.#next?.onDrain();
  }

  onClose(error?: Error): void {
    if (this.#isOver) this.#next?.onClose(error);
    else this.#fail(error ?? disconnected());
  }

  #parse(end: number): void {
    const head = parseHead(this.#bytes.toString('latin1', 0, end - 4));
    if (!head) return this.#fail(new InvalidHead(400, 'not valid HTTP'));
    const rest = this.#bytes.subarray(end);
    if (this.#receiver.isInterim?.(head) && this.#interim++ < maxInterim) {
      this.#bytes = Buffer.alloc(0);
      return this.onData(rest);
    }
    this.#bytes = rest;
    this.#isOver = true;
    this.#next = this.#receiver.head(head, rest);
  }

  #fail(error: Error): void {
    this.#isOver = true;
    this.#next = this.#receiver.failed(error);
  }
}

function disconnected(): YodelError {
  return new YodelError('YODEL_WEBSOCKET_REFUSED', 'the WebSocket handshake failed: the peer disconnected');
}
