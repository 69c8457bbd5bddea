// One client that sends a message every `interval` milliseconds, whatever the server does. It never waits for a reply before it
// sends the next message, so a server that stalls delays all messages of the stall, and each one counts.
#include <sys/timerfd.h>

enum { MOST_PENDING = 4096, LAST_REPLY = 20 };  // LAST_REPLY: seconds after the last message until the run fails

static double interval = 10, pending_since[MOST_PENDING], longest_wait, latest_send;
static unsigned long sent_messages, answered_messages;

static double next_due;

// Only this process can be late here, because nothing in it waits for the server.
static void send_due(struct connection *c, double at) {
  for (; next_due <= at; next_due += interval / 1e3) {
    if (sent_messages - answered_messages == MOST_PENDING) fail("thousands of messages are unanswered");
    if (at - next_due > latest_send) latest_send = at - next_due;
    pending_since[sent_messages++ % MOST_PENDING] = now();
    if (put(c, c->block, c->block_size) != (ssize_t)c->block_size) die("send");
  }
}

static void answered(int counts) {
  double waited = now() - pending_since[answered_messages++ % MOST_PENDING];
  if (!counts) return;
  record(waited);
  messages++;
  if (waited > longest_wait) longest_wait = waited;
}

// A chunk may contain several replies. All messages are the same, so each reply must be.
static void receive_replies(struct connection *c, int counts) {
  ssize_t got = take(c, chunk, CHUNK);
  if (got == 0) fail("the server closed a connection");
  if (got < 0 && errno != EAGAIN) die("recv");
  for (ssize_t at = 0; at < got;) {
    size_t left = c->expected_size - c->received, count = (size_t)(got - at) < left ? (size_t)(got - at) : left;
    if (answered_messages == sent_messages) fail("more came back than was sent");
    if (memcmp(c->expected + c->received, chunk + at, count)) fail("what came back is not what was sent");
    at += count;
    c->received += count;
    if (c->received < c->expected_size) return;
    c->received = 0;
    answered(counts);
  }
}

// Waits for a reply, at most until `until`. Sleeps to the nanosecond: epoll_wait would to the millisecond.
static void wait_until(double until) {
  struct epoll_event event;
  double left = until - now();
  if (left < 0) left = 0;
  struct timespec timeout = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (time_t)left) * 1e9)};
  if (epoll_pwait2(queue, &event, 1, &timeout, NULL) < 0 && errno != EINTR) die("epoll_pwait2");
}

// Sends for `duration`; then waits for all replies.
static void send_for(struct connection *c, double duration, int counts) {
  double until = now() + duration, deadline = until + LAST_REPLY;
  next_due = now();
  for (double at = now(); at < until || answered_messages < sent_messages; at = now()) {
    if (at > deadline) fail("a message was not answered");
    if (at < until) send_due(c, at);
    wait_until(at >= until ? deadline : next_due < until ? next_due : until);
    receive_replies(c, counts);
  }
}

// `late` is the longest time by which this process sent a message too late, in microseconds.
static void pace(void) {
  struct connection c = {0};
  if (depth != 1) fail("-m pace sends one message at a time");
  fill(&c, 0);
  open_connection(&c);
  send_for(&c, warm_up, 0);
  latest_send = 0;
  double from = now(), used = processor_seconds();
  send_for(&c, seconds, 1);
  if (messages == 0) fail("nothing came back in the time measured");
  seconds = now() - from;
  printf("{\"messages\":%lu,\"seconds\":%.6f,\"perSecond\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f,\"late\":%.1f,"
         "\"busy\":%.3f}\n",
         messages, seconds, messages / seconds, percentile(0.5), percentile(0.99), longest_wait * 1e6,
         latest_send * 1e6, (processor_seconds() - used) / seconds);
}
