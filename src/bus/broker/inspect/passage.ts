/** Tries whether messages pass from one connection of a bus to another one, as between two servers. */
import { YodelError } from '../../../errors.ts';
import type { Broker, BrokerConnection, BrokerReceiver } from '../broker.ts';
import type { Ability, RoundTrips } from './inspection.ts';

/** The result. */
export interface Passage {
  readonly ability: Ability;
  readonly roundTrips: RoundTrips | null;
}

/** The time-out for one step. */
export const stepMs = 5000;
/** A message that takes longer is lost: it was not refused, but nothing came. */
const arrivalMs = 5000;
/** How many messages are sent, one after another, but for no longer than this. */
const messages = 100;
const longestMs = 3000;

/** Sends messages on a subject. @throws YodelError `YODEL_BUS_UNAVAILABLE` if there is no connection */
export async function tryPassage(broker: Broker, subject: string): Promise<Passage> {
  const arrivals = new Arrivals();
  const connections: BrokerConnection[] = [];
  try {
    for (let ends = 0; ends < 2; ends++) connections.push(await connected(broker, arrivals));
    const [receiver, sender] = connections as [BrokerConnection, BrokerConnection];
    receiver.subscribe([subject]);
    const ready = Promise.all([receiver.roundTrip(), sender.roundTrip()]);
    await within(stepMs, Promise.race([ready, arrivals.failed]), silent);
    return { ability: { works: true }, roundTrips: await measure(sender, subject, arrivals) };
  } catch (error) {
    if (error instanceof YodelError) throw error;
    return { ability: { works: false, reason: (error as Error).message }, roundTrips: null };
  } finally {
    for (const connection of connections) connection.abort();
  }
}

/** Rejects with `what` unless the promise settles in time. */
export async function within<Value>(ms: number, promise: Promise<Value>, what: string): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(what)), ms);
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

/** The error if there is no connection. */
export function unavailable(name: string, error: unknown): YodelError {
  return new YodelError('YODEL_BUS_UNAVAILABLE', `no connection to ${name}: ${(error as Error).message}`);
}

/** Why a bus that has stopped is given up. */
export const silent = `it has not responded for ${stepMs / 1000} s`;

async function connected(broker: Broker, receiver: BrokerReceiver): Promise<BrokerConnection> {
  try {
    return await within(stepMs, broker.connect(receiver), silent);
  } catch (error) {
    throw unavailable(broker.name, error);
  }
}

async function measure(sender: BrokerConnection, subject: string, arrivals: Arrivals): Promise<RoundTrips> {
  const took: number[] = [];
  const start = performance.now();
  for (let message = 0; message < messages && performance.now() - start < longestMs; message++) {
    const sentAt = performance.now();
    const arrival = arrivals.next();
    sender.publish(subject, Buffer.from(`${message}`));
    const nothing = `nothing arrives: what is published on ${subject} does not reach its subscribers`;
    await within(arrivalMs, Promise.race([arrival, arrivals.failed]), nothing);
    took.push(performance.now() - sentAt);
  }
  took.sort((one, two) => one - two);
  const at = (share: number) => took[Math.ceil(share * took.length) - 1] as number;
  return { count: took.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** Waits for messages, and for whatever prevents them. */
class Arrivals implements BrokerReceiver {
  readonly #failure = Promise.withResolvers<never>();
  #arrived: (() => void) | undefined;

  constructor() {
    // It may fail when nothing waits any more.
    this.#failure.promise.catch(() => undefined);
  }

  /** Rejects when the bus refuses something, or closes a connection. */
  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  /** Resolves with the next message. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#arrived = resolve;
    });
  }

  received(): void {
    this.#arrived?.();
  }

  refused(reason: string): void {
    this.#failure.reject(new Error(reason));
  }

  closed(reason: string): void {
    this.#failure.reject(new Error(reason));
  }
}
