/**
 * A histogram whose buckets grow with their values, as in HdrHistogram (https://hdrhistogram.github.io/HdrHistogram/): every
 * value is recorded to a thousandth, in constant memory.
 */

/** 1024 buckets per power of two: a bucket is narrower than a thousandth of its value. */
const bucketBits = 10;
const bucketsPerOctave = 2 ** bucketBits;
/** 2^-20 ms is about a nanosecond. */
const smallestExponent = -20;
/** 2^23 ms is two hours and twenty minutes. Longer times are counted in the last bucket. */
const largestExponent = 23;
const bucketCount = (largestExponent - smallestExponent) * bucketsPerOctave;

// The upper half of a double is its sign, 11 bits of exponent and the first 20 bits of its fraction, so it contains the number
// of the bucket. Reading it takes 2 ns; a logarithm takes ten times as long.
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
const upperWord = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;
const exponentBias = 1023;
const firstBucket = (smallestExponent + exponentBias) << bucketBits;

/** A histogram as JSON, for another process. */
export interface HistogramData {
  readonly min: number;
  readonly max: number;
  /** The filled buckets: index, count, index, count, … */
  readonly buckets: readonly number[];
}

/** A histogram of times in milliseconds. */
export class Histogram {
  readonly #buckets = new Float64Array(bucketCount);
  #count = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  /** The number of recorded values. */
  get count(): number {
    return this.#count;
  }

  /** The smallest value, exactly; NaN when there is none. */
  get min(): number {
    return this.#count === 0 ? Number.NaN : this.#min;
  }

  /** The largest value, exactly; NaN when there is none. */
  get max(): number {
    return this.#count === 0 ? Number.NaN : this.#max;
  }

  /** Records a value `count` times. Values below 0 go into the first bucket. */
  record(value: number, count = 1): void {
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    this.#addTo(bucketOf(value), count);
  }

  /** Adds all values of another histogram. */
  add(other: Histogram): void {
    if (other.#count === 0) return;
    for (let bucket = bucketOf(other.#min); bucket <= bucketOf(other.#max); bucket++) {
      this.#addTo(bucket, other.#buckets[bucket] as number);
    }
    this.#min = Math.min(this.#min, other.#min);
    this.#max = Math.max(this.#max, other.#max);
  }

  /**
   * Removes values that were recorded: index of the bucket, count, index, count, … The smallest and the largest value are
   * from then on those of their buckets.
   */
  remove(buckets: readonly number[]): void {
    for (let at = 0; at < buckets.length; at += 2) {
      this.#addTo(buckets[at] as number, -(buckets[at + 1] as number));
    }
    if (this.#count === 0) return this.clear();
    let first = bucketOf(this.#min);
    let last = bucketOf(this.#max);
    while (this.#buckets[first] === 0) first++;
    while (this.#buckets[last] === 0) last--;
    if (first !== bucketOf(this.#min)) this.#min = upperEndOf(first - 1);
    if (last !== bucketOf(this.#max)) this.#max = previous(upperEndOf(last));
  }

  /** Removes all values. */
  clear(): void {
    if (this.#max >= this.#min) this.#buckets.fill(0, bucketOf(this.#min), bucketOf(this.#max) + 1);
    this.#count = 0;
    this.#min = Number.POSITIVE_INFINITY;
    this.#max = Number.NEGATIVE_INFINITY;
  }

  /**
   * The nearest-rank percentile: the upper end of its bucket, but at most the largest value. NaN when there are no values.
   */
  percentile(percent: number): number {
    if (this.#count === 0) return Number.NaN;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count - 1e-9));
    let seen = 0;
    for (let bucket = bucketOf(this.#min); ; bucket++) {
      seen += this.#buckets[bucket] as number;
      if (seen >= rank || bucket === bucketCount - 1) return this.#valueOf(bucket);
    }
  }

  /** NaN when there are no values. */
  get mean(): number {
    let sum = 0;
    for (const [value, count] of this.entries()) sum += value * count;
    return sum / this.#count;
  }

  /** The standard deviation of the population; NaN when there are no values. */
  get stdev(): number {
    const { mean } = this;
    let squares = 0;
    for (const [value, count] of this.entries()) squares += (value - mean) ** 2 * count;
    return Math.sqrt(squares / this.#count);
  }

  /** The filled buckets, ascending: the value that `percentile` returns for them, and their counts. */
  *entries(): Generator<[value: number, count: number]> {
    if (this.#count === 0) return;
    const last = bucketOf(this.#max);
    for (let bucket = bucketOf(this.#min); bucket <= last; bucket++) {
      const count = this.#buckets[bucket] as number;
      if (count > 0) yield [this.#valueOf(bucket), count];
    }
  }

  /** As plain data. */
  toJSON(): HistogramData {
    const buckets: number[] = [];
    if (this.#count === 0) return { min: 0, max: 0, buckets };
    for (let bucket = bucketOf(this.#min); bucket <= bucketOf(this.#max); bucket++) {
      const count = this.#buckets[bucket] as number;
      if (count > 0) buckets.push(bucket, count);
    }
    return { min: this.#min, max: this.#max, buckets };
  }

  /** Adds the histogram of another process. */
  addData({ min, max, buckets }: HistogramData): void {
    if (buckets.length === 0) return;
    for (let at = 0; at < buckets.length; at += 2) {
      this.#addTo(buckets[at] as number, buckets[at + 1] as number);
    }
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  #addTo(bucket: number, count: number): void {
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + count;
    this.#count += count;
  }

  #valueOf(bucket: number): number {
    return Math.max(this.#min, Math.min(upperEndOf(bucket), this.#max));
  }
}

/** The index of the bucket of a value. */
export function bucketOf(value: number): number {
  double[0] = value;
  const bucket = ((words[upperWord] as number) >>> (20 - bucketBits)) - firstBucket;
  // The sign bit makes the upper half of a negative number larger than any other.
  if (bucket < 0 || value < 0) return 0;
  return bucket < bucketCount ? bucket : bucketCount - 1;
}

/** The largest time in the bucket that ends here. */
function previous(end: number): number {
  return end * (1 - Number.EPSILON);
}

function upperEndOf(bucket: number): number {
  words[upperWord] = (bucket + 1 + firstBucket) << (20 - bucketBits);
  words[1 - upperWord] = 0;
  return double[0] as number;
}
