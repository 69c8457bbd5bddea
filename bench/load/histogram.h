// Latencies in buckets of less than 1 % width: 128 for each power of two of nanoseconds.
#include <string.h>

enum { BUCKETS = 64 * 128 };

static unsigned buckets[BUCKETS];
static unsigned long recorded;

static int bucket_of(unsigned long nanoseconds) {
  if (nanoseconds < 128) return nanoseconds;
  int exponent = 63 - __builtin_clzl(nanoseconds);
  return (exponent - 6) * 128 + (int)((nanoseconds >> (exponent - 7)) & 127);
}

static double nanoseconds_of(int bucket) {
  if (bucket < 128) return bucket;
  int exponent = bucket / 128 + 6;
  return (double)((128ul + bucket % 128) << (exponent - 7));
}

static void record(double latency_seconds) {
  int bucket = bucket_of((unsigned long)(latency_seconds * 1e9));
  buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
  recorded++;
}

static void forget_records(void) {
  recorded = 0;
  memset(buckets, 0, sizeof buckets);
}

// In microseconds; 0 if nothing was recorded.
static double percentile(double share) {
  unsigned long rank = (unsigned long)(recorded * share), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += buckets[i];
    if (seen > rank) return nanoseconds_of(i) / 1e3;
  }
  return 0;
}
