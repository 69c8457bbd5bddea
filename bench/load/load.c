// The neutral load generator: one thread of C, epoll. Each connection sends a block of `depth` messages, waits until all of
// it has come back, compares every byte, and goes on. So `depth` 1 is one message at a time.
//
// usage: load HOST PORT [-c connections] [-p depth] [-s size] [-t seconds] [-w warm-up seconds] [-u]
//
//   -s  bytes of a message with its newline      -u  expect capitals back (a handler that transforms)
//   -m  mode: echo (default), connect (connect, one echo, close, again), idle (connect, one echo, wait for the end of
//       stdin), fanout (one sends, all receive)
//
// Prints one JSON object: messages, seconds, perSecond, and the latency of a block in microseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 18, EVENTS = 512, BUCKETS = 64 * 128 };

struct connection {
  int fd;
  char *block;     // what is sent
  char *expected;  // what must come back
  size_t sent, received;
  double began;
  int writing;
};

static int connections = 64, depth = 1, upper = 0;
static size_t size = 64;
static double seconds = 1, warm_up = 0.2;
static const char *mode = "echo";
static struct sockaddr_in server;
static int queue;
static char chunk[CHUNK];
static unsigned long messages;
static unsigned buckets[BUCKETS];  // 128 per power of two of nanoseconds: under 1 % wide
static unsigned long recorded;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void wrong(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int bucket_of(unsigned long value) {
  if (value < 128) return value;
  int exponent = 63 - __builtin_clzl(value);
  return (exponent - 6) * 128 + (int)((value >> (exponent - 7)) & 127);
}

static double value_of(int bucket) {
  if (bucket < 128) return bucket;
  int exponent = bucket / 128 + 6;
  return (double)((128ul + bucket % 128) << (exponent - 7));
}

static void record(double latency) {
  int bucket = bucket_of((unsigned long)(latency * 1e9));
  buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
  recorded++;
}

static double percentile(double p) {
  unsigned long wanted = (unsigned long)(recorded * p), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += buckets[i];
    if (seen > wanted) return value_of(i) / 1e3;
  }
  return 0;
}

static double measured_from;
static int measuring;

// Measuring begins after the warm-up. Returns when it ends.
static double plan(double start) {
  measured_from = start + warm_up;
  return measured_from + seconds;
}

// Forgets the warm-up once it is over.
static void begin_measuring(double t) {
  if (measuring || t < measured_from) return;
  measuring = 1;
  measured_from = t;
  messages = recorded = 0;
  memset(buckets, 0, sizeof buckets);
}

static void open_connection(struct connection *c, int blocking) {
  c->fd = socket(AF_INET, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK), 0);
  if (c->fd < 0) die("socket");
  if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) die("connect");
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  c->sent = c->received = 0;
}

// Every message is its own: connection, number, then letters; so that nothing mixed up can go unseen.
static void fill(struct connection *c, int number) {
  c->block = malloc(size * depth);
  for (int i = 0; i < depth; i++) {
    char *message = c->block + i * size;
    memset(message, 'a' + (number + i) % 26, size);
    char head[32];
    int length = snprintf(head, sizeof head, "%x-%x-", number, i);
    memcpy(message, head, (size_t)length < size - 1 ? (size_t)length : size - 1);
    message[size - 1] = '\n';
  }
  c->expected = c->block;
  if (!upper) return;
  c->expected = malloc(size * depth);
  for (size_t i = 0; i < size * depth; i++) c->expected[i] = toupper(c->block[i]);
}

static void watch(struct connection *c, int op, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(queue, op, c->fd, &event) < 0) die("epoll_ctl");
}

static void send_block(struct connection *c) {
  size_t total = size * depth;
  while (c->sent < total) {
    ssize_t n = send(c->fd, c->block + c->sent, total - c->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
    if (n < 0) die("send");
    c->sent += n;
  }
  int writing = c->sent < total;
  if (writing != c->writing) {
    c->writing = writing;
    watch(c, EPOLL_CTL_MOD, writing ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
}

// Returns 1 when the whole block has come back.
static int receive(struct connection *c) {
  size_t total = size * depth;
  ssize_t n = recv(c->fd, chunk, CHUNK, 0);
  if (n == 0) wrong("the server closed a connection");
  if (n < 0) {
    if (errno == EAGAIN) return 0;
    die("recv");
  }
  if (c->received + n > total) wrong("more came back than was sent");
  if (memcmp(c->expected + c->received, chunk, n)) wrong("what came back is not what was sent");
  c->received += n;
  return c->received == total;
}

static void begin(struct connection *c, double at) {
  c->sent = c->received = 0;
  c->began = at;
  send_block(c);
}

static void echo(void) {
  struct connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    open_connection(&all[i], 1);
    fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
    fill(&all[i], i);
    watch(&all[i], EPOLL_CTL_ADD, EPOLLIN);
  }
  double start = now();
  for (int i = 0; i < connections; i++) begin(&all[i], start);
  double until = plan(start), t = start;
  struct epoll_event events[EVENTS];
  while (t < until) {
    int ready = epoll_wait(queue, events, EVENTS, 5000);
    if (ready == 0) wrong("no reply for 5 s");
    t = now();
    begin_measuring(t);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) send_block(c);
      if (!(events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) || !receive(c)) continue;
      double at = now();
      record(at - c->began);
      messages += depth;
      begin(c, at);
    }
  }
  seconds = t - measured_from;
}

// Connect, one echo, close, and again; `connections` of them at the same time.
static void connects(void) {
  struct connection *all = calloc(connections, sizeof *all);
  double start = now();
  for (int i = 0; i < connections; i++) {
    fill(&all[i], i);
    open_connection(&all[i], 0);
    all[i].began = start;
    all[i].writing = 1;
    watch(&all[i], EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
  }
  double until = plan(start), t = start;
  struct epoll_event events[EVENTS];
  while (t < until) {
    int ready = epoll_wait(queue, events, EVENTS, 5000);
    if (ready == 0) wrong("no reply for 5 s");
    t = now();
    begin_measuring(t);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) send_block(c);
      if (!(events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) || !receive(c)) continue;
      double at = now();
      record(at - c->began);
      messages++;
      // A reset frees the port at once: tens of thousands a second would run out of them in TIME_WAIT.
      struct linger hard = {.l_onoff = 1, .l_linger = 0};
      setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
      close(c->fd);
      open_connection(c, 0);
      c->began = at;
      c->writing = 1;
      watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    }
  }
  seconds = t - measured_from;
}

// Holds `connections` idle ones after one echo each, says so, and waits for the end of stdin.
static void idle(void) {
  struct connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    fill(&all[i], i);
    open_connection(&all[i], 1);
    if (send(all[i].fd, all[i].block, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
    while (!receive(&all[i])) continue;
  }
  printf("{\"connected\":%d}\n", connections);
  fflush(stdout);
  char end;
  while (read(0, &end, 1) > 0) continue;
  exit(0);
}

// One client sends, `connections` clients receive; `depth` messages are under way at once. Counts deliveries.
static void fanout(void) {
  struct connection *all = calloc(connections + 1, sizeof *all);
  struct connection *sender = &all[connections];
  fill(sender, 0);
  for (int i = 0; i <= connections; i++) {
    all[i].expected = sender->block;
    open_connection(&all[i], 1);
    fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
    watch(&all[i], EPOLL_CTL_ADD, EPOLLIN);
  }
  // Time for the server to have accepted all of them.
  usleep(300000);
  double start = now();
  double until = plan(start), t = start;
  int waiting = 0;
  struct epoll_event events[EVENTS];
  while (t < until) {
    if (waiting == 0) {
      for (int i = 0; i < connections; i++) all[i].received = 0;
      waiting = connections;
      begin(sender, t);
    }
    int ready = epoll_wait(queue, events, EVENTS, 5000);
    if (ready == 0) wrong("no message for 5 s");
    t = now();
    begin_measuring(t);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == sender) {
        if (events[i].events & EPOLLOUT) send_block(c);
        else if (recv(c->fd, chunk, CHUNK, 0) == 0) wrong("the server closed a connection");
        continue;
      }
      if (!receive(c)) continue;
      waiting--;
      messages += depth;
      if (waiting == 0) record(t - sender->began);
    }
  }
  seconds = t - measured_from;
}

int main(int argc, char **argv) {
  if (argc < 3) wrong("usage: load HOST PORT [-c connections] [-p depth] [-s size] [-t seconds] [-w warm-up] [-u] [-m mode]");
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(argv[2]));
  if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) wrong("HOST is an IPv4 address");
  for (int i = 3; i < argc; i++) {
    const char *value = i + 1 < argc ? argv[i + 1] : "";
    if (!strcmp(argv[i], "-u")) {
      upper = 1;
      continue;
    }
    if (!strcmp(argv[i], "-c")) connections = atoi(value);
    else if (!strcmp(argv[i], "-p")) depth = atoi(value);
    else if (!strcmp(argv[i], "-s")) size = atol(value);
    else if (!strcmp(argv[i], "-t")) seconds = atof(value);
    else if (!strcmp(argv[i], "-w")) warm_up = atof(value);
    else if (!strcmp(argv[i], "-m")) mode = value;
    else wrong("unknown option");
    i++;
  }
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  queue = epoll_create1(0);

  if (!strcmp(mode, "echo")) echo();
  else if (!strcmp(mode, "connect")) connects();
  else if (!strcmp(mode, "idle")) idle();
  else if (!strcmp(mode, "fanout")) fanout();
  else wrong("the modes are echo, connect, idle and fanout");
  printf("{\"messages\":%lu,\"seconds\":%.6f,\"perSecond\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f}\n", messages,
         seconds, messages / seconds, percentile(0.5), percentile(0.99), percentile(0.999));
  return 0;
}
