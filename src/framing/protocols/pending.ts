/** The requests whose replies have not been seen, for protocols in which a reply's form depends on its request. */
import { YodelError } from '../../errors.ts';
import { Queue } from '../../queue.ts';

/** Equal requests, one after another. */
interface Run<Request> {
  readonly request: Request;
  count: number;
}

/** More changes from one kind of request to another than any client sends without waiting for a reply. */
const maxRuns = 4096;
/** Bytes of memory that each change takes. */
const runSize = 64;

/**
 * Requests in order. Equal ones in a row take no more memory than one, so that a server that never replies can take any number
 * of them.
 */
export class PendingRequests<Request> {
  readonly #runs = new Queue<Run<Request>>();
  #last: Run<Request> | undefined;

  /** Bytes of memory that they take. */
  get memory(): number {
    return this.#runs.length * runSize;
  }

  /** The request that the next reply answers. */
  get oldest(): Request | undefined {
    return this.#runs.first?.request;
  }

  /** @throws YodelError `YODEL_INVALID_FRAME` if the peer sends on and on without a reply */
  add(request: Request): void {
    if (this.#runs.length > 0 && this.#last?.request === request) {
      this.#last.count++;
      return;
    }
    if (this.#runs.length >= maxRuns) {
      throw new YodelError('YODEL_INVALID_FRAME', 'more requests are without a reply than any client sends');
    }
    this.#last = { request, count: 1 };
    this.#runs.push(this.#last);
  }

  /** Removes the oldest, and returns it. */
  take(): Request | undefined {
    const run = this.#runs.first;
    if (!run) return undefined;
    run.count--;
    if (run.count === 0) this.#runs.shift();
    return run.request;
  }

  /** Removes all up to and including the first of these; all if there is none. Returns whether there was one. */
  dropThrough(request: Request): boolean {
    while (this.#runs.length > 0 && this.oldest !== request) this.#runs.shift();
    return this.take() !== undefined;
  }

  /** A request that is older than all others. */
  addOldest(request: Request): void {
    const runs = [{ request, count: 1 }, ...this.#runs.takeAll()];
    for (const run of runs) this.#runs.push(run);
    this.#last = runs.at(-1);
  }
}
