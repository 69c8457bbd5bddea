/** Ways to send and receive many messages: from an iteration, and as web streams. All of them wait for the server. */
import { YodelError } from '../errors.ts';
import type { ReadyOptions } from './readiness.ts';

/** What they need of a client. */
interface Sender<Value> {
  ready(options?: ReadyOptions): Promise<void>;
  send(message: Value): boolean | YodelError;
  drained(): Promise<void>;
}

/** See `Client.sendAll`. */
export async function sendAll<Value>(
  client: Sender<Value>,
  messages: Iterable<Value> | AsyncIterable<Value>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let count = 0;
  signal?.throwIfAborted();
  for await (const message of messages) {
    signal?.throwIfAborted();
    await sendWhenReady(client, message, signal);
    count++;
  }
  await abortable(client.drained(), signal);
  return count;
}

/** A client, for its streams. */
interface StreamingClient<In, Out> extends Sender<Out>, AsyncIterable<In, undefined> {
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
    this.#readable ??= readableOf(this.#client[Symbol.asyncIterator]());
    return this.#readable;
  }

  get writable(): WritableStream<Out> {
    const client = this.#client;
    this.#writable ??= new WritableStream<Out>({
      write: (message) => sendWhenReady(client, message, undefined),
      close: () => client.end(),
      abort: () => client.abort(),
    });
    return this.#writable;
  }
}

function readableOf<Value>(messages: AsyncIterator<Value, undefined>): ReadableStream<Value> {
  return new ReadableStream<Value>(
    {
      async pull(controller) {
        const { done, value } = await messages.next();
        if (done) controller.close();
        else controller.enqueue(value);
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
    await client.ready({ signal });
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
