/** Reads the head of an HTTP message from a connection, and then passes its events on. */
import { YodelError } from '../../errors.ts';
import { Tail } from '../../framing/tail.ts';
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
  /** How many bytes wait for the end of the head; 0 in the end. */
  waits?(bytes: number): void;
  /** Whether a head only announces another one, as a status of 1xx does. */
  isInterim?(head: HttpHead): boolean;
  /**
   * Returns who receives the rest.
   *
   * @param rest what arrived after the head; belongs to the receiver
   * @param pass makes another one receive it, from then on
   */
  head(head: HttpHead, rest: Buffer, pass: (receiver: Receiver) => void): Receiver;
  /**
   * There is no head ({@link InvalidHead}), or the connection is lost. Returns what receives the rest, if anything does.
   *
   * @param received the number of bytes that arrived
   */
  failed(error: Error, received: number): Receiver | undefined;
}

/** Starts to receive from the connection. */
export function readHead(connection: Connection, receiver: HeadReceiver): void {
  connection.start(new HeadReader(receiver));
}

/** A head and what follows it in the same chunk, which is usually much less. */
const mostAtOnce = maxHeadSize + 1_048_576;
/** How many bytes are enough to tell that something is not HTTP. */
const startSize = 8;
/** More interim heads than any server sends. */
const maxInterim = 16;

class HeadReader implements Receiver {
  readonly #receiver: HeadReceiver;
  readonly #tail = new Tail(mostAtOnce);
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
    const tail = this.#tail;
    const seen = tail.length;
    tail.append(chunk);
    const { bytes } = tail;
    const end = endOfHead(bytes.subarray(0, maxHeadSize), seen);
    const mayBegin = seen >= startSize || this.#receiver.mayBegin(bytes.toString('latin1', 0, startSize));
    if (end === undefined || !mayBegin) this.#fail(new InvalidHead(400, 'not valid HTTP'));
    else if (end > 0) this.#parse(end);
    else if (bytes.length < maxHeadSize) this.#receiver.waits?.(Math.max(bytes.length, tail.memory));
    else this.#fail(new InvalidHead(431, `the HTTP headers are longer than ${maxHeadSize} bytes`));
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
    const bytes = this.#tail.take();
    const head = parseHead(bytes.toString('latin1', 0, end - 4));
    if (!head) return this.#fail(new InvalidHead(400, 'not valid HTTP'));
    const rest = bytes.subarray(end);
    if (this.#receiver.isInterim?.(head) && this.#interim++ < maxInterim) return this.onData(rest);
    this.#isOver = true;
    this.#next = this.#receiver.head(head, rest, (receiver) => {
      this.#next = receiver;
    });
  }

  #fail(error: Error): void {
    const { length } = this.#tail;
    this.#tail.drop();
    this.#isOver = true;
    this.#next = this.#receiver.failed(error, length);
  }
}

function disconnected(): YodelError {
  return new YodelError('YODEL_WEBSOCKET_REFUSED', 'the WebSocket handshake failed: the peer disconnected');
}
