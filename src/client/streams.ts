/** Ways to send and receive many messages: from an iteration, and as web streams. All of them wait for the server. */
import { YodelError } from '../errors.ts';
import { checkShapes, kindOf } from '../option-shapes.ts';
import type { ClientState, SendAllOptions } from './client.ts';
import type { Reader } from './inbox.ts';
import type { ReadyOptions } from './readiness.ts';

/** What they need of a client. */
interface Sender<Value> {
  readonly state: ClientState;
  ready(options?: ReadyOptions): Promise<void>;
  send(message: Value): boolean | YodelError;
  drained(): Promise<void>;
  /** Calls back when it is closed, at once if it is. Returns a function that takes that back. */
  whenClosed(listener: (error: unknown) => void): () => void;
}

/** See `Client.sendAll`. */
export async function sendAll<Value>(
  client: Sender<Value>,
  messages: Iterable<Value> | AsyncIterable<Value>,
  options: SendAllOptions,
): Promise<number> {
  checkShapes(options, { signal: 'signal' }, 'sendAll()');
  checkMessages(messages);
  const { signal } = options;
  signal?.throwIfAborted();
  let count = 0;
  const stop = new Stop();
  const abort = () => stop.fail(signal?.reason);
  const forget = client.whenClosed((error) => stop.fail(error));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    // An iteration that is not asynchronous cannot be waited for.
    for await (const message of isAsync(messages) ? until(stop, messages) : messages) {
      signal?.throwIfAborted();
      await sendWhenReady(client, message, signal);
      count++;
    }
  } finally {
    forget();
    signal?.removeEventListener('abort', abort);
  }
  await abortable(client.drained(), signal);
  return count;
}

/** Text can be iterated over, too, and bytes: by characters and numbers. That is never what is meant. */
function checkMessages(messages: unknown): void {
  const isIterable = typeof messages === 'object' && messages !== null && !ArrayBuffer.isView(messages);
  if (isIterable && (Symbol.iterator in messages || Symbol.asyncIterator in messages)) return;
  const text = `sendAll() takes an array or another iterable of messages, not ${kindOf(messages)}`;
  throw new YodelError('YODEL_INVALID_OPTION', text);
}

function isAsync<Value>(messages: Iterable<Value> | AsyncIterable<Value>): messages is AsyncIterable<Value> {
  return (messages as Partial<AsyncIterable<Value>>)[Symbol.asyncIterator] !== undefined;
}

/** Why a wait for a message that may never come is over. */
class Stop {
  #reject: ((error: unknown) => void) | undefined;
  #hasFailed = false;
  #error: unknown;

  fail(error: unknown): void {
    this.#hasFailed = true;
    this.#error ??= error;
    this.#reject?.(error);
  }

  /** Settles as the promise does, or rejects before. */
  wait<Value>(promise: PromiseLike<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      if (this.#hasFailed) reject(this.#error);
      promise.then(resolve, reject);
    });
  }
}

/** What an iteration yields, until it is over or stopped. Nobody waits for an iteration that is stopped: it may never answer. */
async function* until<Value>(stop: Stop, messages: AsyncIterable<Value>): AsyncGenerator<Value, void> {
  const iterator = messages[Symbol.asyncIterator]();
  let isOver = false;
  try {
    for (;;) {
      const next = Promise.resolve(iterator.next());
      const { done, value } = await stop.wait(
        next.catch((error) => {
          isOver = true;
          throw error;
        }),
      );
      isOver = done === true;
      if (done) return;
      yield value;
    }
  } finally {
    if (!isOver) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** A client, for its streams. */
interface StreamingClient<In, Out> extends Sender<Out> {
  /** Reads its messages. */
  reader(): Reader<In>;
  end(): void;
  abort(): void;
}

/** `Client.readable` and `Client.writable`, made when they are used first. */
export class Streams<In, Out> {
  readonly #client: StreamingClient<In, Out>;
  #readable: ReadableStream<In> | undefined;
  #writable: WritableStream<Out> | undefined;

  constructor(client: StreamingClient<In, Out>) {
    this.#client = client;
  }

  get readable(): ReadableStream<In> {
    this.#readable ??= readableOf(this.#client, () => {
      this.#readable = undefined;
    });
    return this.#readable;
  }

  get writable(): WritableStream<Out> {
    const client = this.#client;
    this.#writable ??= new WritableStream<Out>({
      // Who pipes into it need not wait for the next message to learn that there is no client any more.
      start: (controller) => void client.whenClosed((error) => controller.error(error)),
      write: (message) => sendWhenReady(client, message, undefined),
      close: () => client.end(),
      abort: () => client.abort(),
    });
    return this.#writable;
  }
}

/** @param over called when it was cancelled, or has failed: with a message that cannot be read, or the connection */
function readableOf<Value>(client: StreamingClient<Value, never>, over: () => void): ReadableStream<Value> {
  const reader = client.reader();
  return new ReadableStream<Value>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          over();
          throw error;
        }
      },
      cancel() {
        reader.isGone = true;
        over();
      },
    },
    // Nothing is taken from the client before it is asked for.
    { highWaterMark: 0 },
  );
}

/** Sends a message once the client can send, and resolves when it may send more. */
async function sendWhenReady<Value>(
  client: Sender<Value>,
  message: Value,
  signal: AbortSignal | undefined,
): Promise<void> {
  let sent: boolean | YodelError | undefined;
  while (sent === undefined) {
    if (client.state !== 'open') await client.ready({ signal });
    sent = sendUnlessLost(client, message);
  }
  if (sent instanceof YodelError) throw sent;
  if (!sent) await abortable(client.drained(), signal);
}

/** Undefined: the connection was lost in the same moment. */
function sendUnlessLost<Value>(client: Sender<Value>, message: Value): boolean | YodelError | undefined {
  try {
    return client.send(message);
  } catch (error) {
    if (error instanceof YodelError && error.code === 'YODEL_NOT_CONNECTED') return undefined;
    throw error;
  }
}

async function abortable(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return await promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
