/**
 * A small HTTP server for operators, on the transports of the server itself, so that it behaves the same on both runtimes.
 * What clients can cause is bounded: there are few connections, each carries one request, and one turn of the event loop
 * answers requests for a fraction of a millisecond, whatever else clients have sent.
 */
import { STATUS_CODES } from 'node:http';
import { formatPeer, type TcpAddress } from '../address.ts';
import { type Clock, realClock } from '../clock.ts';
import { systemError, YodelError } from '../errors.ts';
import { Queue } from '../queue.ts';
import { descriptorLimit } from '../transport/descriptors.ts';
import { runtimeTransport } from '../transport/runtime.ts';
import type { Connection } from '../transport/transport.ts';
import { type ConnectionOwner, HttpConnection } from './http-connection.ts';
import type { HttpRefusal, HttpRequest } from './http-request.ts';

/**
 * More connections than operators and their programs need: a further one replaces the oldest. Where descriptors are scarce
 * there are fewer, because the process needs them for its clients.
 */
const maxConnections = 128;
const minConnections = 4;
/** The part of the process's descriptors that they may take. */
const descriptorShare = 1 / 16;
/** Those that do not fit wait a second before they try again, a health check among them. As in node:http. */
const backlog = 511;
/** How long one turn of the event loop answers requests: enough for a few of them, and too short to delay others. */
const turnMs = 0.25;

/** A response. `content-length`, `date` and `connection` are added. */
export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
}

/** What is served. */
export interface HttpService {
  /** For errors: `metrics`. */
  readonly purpose: string;
  /** The longest body, in bytes. 0: a request must not have one. */
  readonly maxBody: number;
  /** Must not throw or reject. */
  answer(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
  /** The response to what is no valid request. */
  refuse(refusal: HttpRefusal): HttpResponse;
  /** For tests. Default: the real time. */
  readonly clock?: Clock | undefined;
}

/** A server that listens. */
export interface HttpServer {
  /** Its address; port 0 is replaced by the real one. */
  readonly address: TcpAddress;
  close(): void;
}

/**
 * Listens, and answers each request.
 *
 * @throws YodelError `YODEL_ADDRESS_IN_USE`, …
 */
export async function listenHttp(address: TcpAddress, service: HttpService): Promise<HttpServer> {
  const connections = new HttpConnections(service);
  const listener = await runtimeTransport
    .listen(address, {
      backlog,
      accept: (connection) => connections.accept(connection),
      // The client is gone.
      failed: () => undefined,
    })
    .catch((error: unknown) => {
      const cause = error instanceof YodelError ? error.cause : error;
      throw systemError(`cannot listen on http://${formatPeer(address)} for ${service.purpose}`, cause);
    });
  return {
    address: listener.address as TcpAddress,
    close() {
      void listener.close();
      connections.close();
    },
  };
}

/** A step towards the response to a connection. */
interface Job {
  readonly connection: HttpConnection;
  run(): void;
}

class HttpConnections implements ConnectionOwner {
  readonly #service: HttpService;
  /** The oldest first. */
  readonly #open = new Set<HttpConnection>();
  readonly #limit = connectionLimit();
  readonly #jobs = new Queue<Job>();
  #isWorking = false;

  constructor(service: HttpService) {
    this.#service = service;
  }

  get maxBody(): number {
    return this.#service.maxBody;
  }

  get clock(): Clock {
    return this.#service.clock ?? realClock;
  }

  accept(connection: Connection): void {
    if (this.#open.size >= this.#limit) this.#oldest()?.abort();
    this.#open.add(new HttpConnection(connection, this));
  }

  requested(connection: HttpConnection, request: HttpRequest): void {
    this.#soon(connection, () => void this.#answer(connection, request));
  }

  refused(connection: HttpConnection, refusal: HttpRefusal): void {
    this.#soon(connection, () => connection.respond(bytesOf(this.#service.refuse(refusal), false)));
  }

  closed(connection: HttpConnection): void {
    this.#open.delete(connection);
  }

  close(): void {
    for (const connection of this.#open) connection.abort();
  }

  async #answer(connection: HttpConnection, request: HttpRequest): Promise<void> {
    const answer = this.#service.answer(request);
    const isHead = request.method === 'HEAD';
    if (!(answer instanceof Promise)) return connection.respond(bytesOf(answer, isHead));
    const response = await answer;
    this.#soon(connection, () => connection.respond(bytesOf(response, isHead)));
  }

  /** Those that have sent nothing complete go first: a request that has arrived is answered soon. */
  #oldest(): HttpConnection | undefined {
    let oldest: HttpConnection | undefined;
    for (const connection of this.#open) {
      if (connection.isIncomplete) return connection;
      oldest ??= connection;
    }
    return oldest;
  }

  #soon(connection: HttpConnection, run: () => void): void {
    this.#jobs.push({ connection, run });
    if (!this.#isWorking) setImmediate(this.#work);
    this.#isWorking = true;
  }

  readonly #work = (): void => {
    const end = performance.now() + turnMs;
    do {
      const { connection, run } = this.#jobs.shift() as Job;
      // Others are closed, and cost nothing.
      if (this.#open.has(connection)) run();
    } while (this.#jobs.length > 0 && performance.now() < end);
    this.#isWorking = this.#jobs.length > 0;
    if (this.#isWorking) setImmediate(this.#work);
  };
}

/** The number of connections at the same time. */
export function connectionLimit(): number {
  const share = Math.floor((descriptorLimit() ?? Number.POSITIVE_INFINITY) * descriptorShare);
  return Math.max(minConnections, Math.min(maxConnections, share));
}

/** Responses that many requests share are encoded once. */
const encoded = new WeakMap<HttpResponse, Uint8Array>();

function bytesOf(response: HttpResponse, isHead: boolean): Uint8Array {
  if (isHead) return encode(response, true);
  const bytes = encoded.get(response) ?? encode(response, false);
  encoded.set(response, bytes);
  return bytes;
}

function encode({ status, headers, body = '' }: HttpResponse, isHead: boolean): Uint8Array {
  const content = typeof body === 'string' ? Buffer.from(body) : body;
  const fields = {
    Date: new Date().toUTCString(),
    Connection: 'close',
    ...(status !== 204 && { 'Content-Length': String(content.length) }),
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`);
  return isHead ? head : Buffer.concat([head, content]);
}
