/** The durations of handler calls, counted in buckets. */
import type { Subscriber } from '../telemetry/telemetry.ts';
import type { Sample } from './sample.ts';

/** In seconds. Handlers that compute take microseconds, those that query a database milliseconds, others longer. */
const buckets = [0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** A histogram of handler calls. Counting one is a loop over twelve numbers, because it is done for every call. */
export class HandlerDurations {
  /** How many calls are in each bucket and in none before; the last one has those that are longer than all. */
  readonly #counts = new Array<number>(buckets.length + 1).fill(0);
  #sum = 0;

  /** Measures while it is subscribed to the server's events. */
  readonly subscriber: Subscriber = {
    handled: (_session, _messages, durationMs) => this.#add(durationMs / 1000),
  };

  #add(seconds: number): void {
    let index = 0;
    while (index < buckets.length && seconds > (buckets[index] as number)) index++;
    (this.#counts[index] as number)++;
    this.#sum += seconds;
  }

  /** The samples of a metric of this name: the format counts each call in all buckets above it. */
  samples(name: string): Sample[] {
    let count = 0;
    const samples: Sample[] = [...buckets, '+Inf'].map((le, index) => {
      count += this.#counts[index] as number;
      return { metricName: `${name}_bucket`, labels: { le }, value: count };
    });
    samples.push({ metricName: `${name}_sum`, labels: {}, value: this.#sum });
    samples.push({ metricName: `${name}_count`, labels: {}, value: count });
    return samples;
  }
}
