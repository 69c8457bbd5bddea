// The event loop that all modes share, and what it measured.
#include <sys/resource.h>

enum { EVENTS = 512 };

static unsigned long messages;
static int measuring;
static double measured_from, busy;

// The processes of the server whose processor time is reported, in the order in which they were named.
enum { WATCHED = 4 };
static struct watched {
  clockid_t clock;
  double used;
} watched[WATCHED];
static int watched_count;

static void watch_process(int pid) {
  if (watched_count == WATCHED) fail("too many -P");
  if (clock_getcpuclockid(pid, &watched[watched_count++].clock)) fail("-P names no process");
}

static double seconds_on(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t)) fail("a process of the server has ended");
  return t.tv_sec + t.tv_nsec / 1e9;
}

// Called when a connection has received its whole block.
typedef void on_block(struct connection *c, double at);

static double processor_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// Discards the warm-up.
static void begin_measuring(double at, struct connection *all, int count) {
  measuring = 1;
  measured_from = at;
  messages = 0;
  busy = processor_seconds();
  for (int i = 0; i < watched_count; i++) watched[i].used = seconds_on(watched[i].clock);
  for (int i = 0; i < count; i++) all[i].blocks = 0;
  forget_records();
}

static void handle(struct connection *c, unsigned events, on_block *done) {
  if (c->act) return c->act(c);
  if (events & EPOLLOUT) send_block(c);
  if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)) || !receive(c)) return;
  c->blocks++;
  done(c, now());
}

// Warms up, then measures for the requested time. `all` are the receiving connections.
static void run(struct connection *all, int count, on_block *done) {
  struct epoll_event events[EVENTS];
  measuring = 0;
  double t = now(), from = t + warm_up, until = from + seconds;
  while (t < until) {
    int ready = epoll_wait(queue, events, EVENTS, TIMEOUT * 1000);
    if (ready == 0) fail("nothing came back for 5 s");
    t = now();
    if (!measuring && t >= from) {
      begin_measuring(t, all, count);
      // After a stall it starts late and still measures for the full time.
      until = t + seconds;
    }
    for (int i = 0; i < ready; i++) handle(events[i].data.ptr, events[i].events, done);
  }
  if (!measuring) fail("nothing came back in the time measured");
  seconds = t - measured_from;
  busy = (processor_seconds() - busy) / seconds;
  for (int i = 0; i < watched_count; i++) watched[i].used = (seconds_on(watched[i].clock) - watched[i].used) / seconds;
}

// `busy` is this generator's share of its core; `silent` counts connections that received nothing while measuring.
static void report(struct connection *all, int count) {
  int silent = 0;
  for (int i = 0; i < count; i++) silent += all[i].blocks == 0;
  printf("{\"messages\":%lu,\"seconds\":%.6f,\"perSecond\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
         "\"busy\":%.3f,\"silent\":%d,\"cpu\":[",
         messages, seconds, messages / seconds, percentile(0.5), percentile(0.99), percentile(0.999), busy, silent);
  for (int i = 0; i < watched_count; i++) printf("%s%.4f", i > 0 ? "," : "", watched[i].used);
  printf("]}\n");
}
