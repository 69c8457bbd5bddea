// Measures clients on the same server twice: alone, then with background clients that only disturb them.
//
// `drippers` have each begun a line, add a byte to it every second, and never finish it. `flooders` send whatever the server
// accepts and never read. The measured clients are new each time.
#include <poll.h>
#include <sys/timerfd.h>

enum { FLOOD_BLOCK = 1 << 16, MAX_UNREAD = 1 << 28, QUIET_MS = 100 };

static struct connection *background, ticker;
static int background_count, next_dripper;

// Uses several addresses: closed connections occupy their ports for a while, and the next background clients follow soon.
static void connect_background_client(struct connection *c, int number) {
  c->fd = new_socket(0);
  choose_source(c->fd, number % 16);
  connect_waiting(c);
}

static void drip(struct connection *c) {
  if (send(c->fd, "x", 1, MSG_NOSIGNAL) != 1) fail("the server closed a background connection");
}

// The timer fires once per byte, independent of messages in flight.
static void on_tick(struct connection *c) {
  unsigned long due;
  if (read(c->fd, &due, sizeof due) != sizeof due) return;
  for (; due > 0; due--) {
    drip(&background[next_dripper]);
    next_dripper = (next_dripper + 1) % drippers;
  }
}

// Each client sends once per second.
static void begin_dripping(void) {
  long interval = 1000000000 / drippers;
  struct timespec step = {.tv_sec = interval / 1000000000, .tv_nsec = interval % 1000000000};
  struct itimerspec steps = {.it_interval = step, .it_value = step};
  ticker.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  ticker.act = on_tick;
  if (ticker.fd < 0 || timerfd_settime(ticker.fd, 0, &steps, NULL) < 0) die("timerfd");
  watch(&ticker, EPOLL_CTL_ADD, EPOLLIN);
}

static void send_flood(struct connection *c) {
  ssize_t n;
  while ((n = send(c->fd, c->block, c->block_size, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0) c->sent += n;
  if (errno != EAGAIN) fail("the server closed a background connection");
  if (c->sent > MAX_UNREAD) fail("the server accepts without limit from a client that reads nothing");
}

// Sends until the server accepts nothing for a while.
static void fill_buffers(struct connection *c) {
  struct pollfd room = {.fd = c->fd, .events = POLLOUT};
  while (poll(&room, 1, QUIET_MS) > 0) send_flood(c);
}

static void start_flood(struct connection *c) {
  // Messages of 64 bytes. If less than a block is accepted, the next block begins within a message, which becomes longer.
  c->block_size = FLOOD_BLOCK;
  c->block = malloc(FLOOD_BLOCK);
  for (int i = 0; i < FLOOD_BLOCK; i++) c->block[i] = i % 64 == 63 ? '\n' : 'd';
  c->act = send_flood;
  fill_buffers(c);
  watch(c, EPOLL_CTL_ADD, EPOLLOUT);
}

// A server accepts in order: once it has answered a later connection, it has accepted the earlier ones.
static void await_acceptance(void) {
  struct connection last = {0};
  fill(&last, 0);
  open_waiting(&last);
  echo_waiting(&last);
  close(last.fd);
}

static void connect_background(void) {
  background_count = drippers + flooders;
  background = calloc(background_count, sizeof *background);
  for (int i = 0; i < background_count; i++) {
    connect_background_client(&background[i], i);
    if (i < drippers) drip(&background[i]);
    else start_flood(&background[i]);
    // Otherwise a server with a short accept queue would drop some, at a cost of one second each.
    if (i % 50 == 49) await_acceptance();
  }
  await_acceptance();
  if (drippers > 0) begin_dripping();
}

// If the server has closed them, the measurement was made without background clients.
static void check_background(void) {
  for (int i = 0; i < background_count; i++) {
    struct pollfd state = {.fd = background[i].fd, .events = POLLRDHUP};
    if (poll(&state, 1, 0) != 0) fail("the server closed a background connection");
  }
}

// Waits until the server has released the dripping clients, so that they do not disturb later measurements. The clients that
// never read reset their connections.
static void close_background(void) {
  struct linger hard = {.l_onoff = 1, .l_linger = 0};
  close(ticker.fd);
  for (int i = 0; i < drippers; i++) shutdown(background[i].fd, SHUT_WR);
  for (int i = 0; i < background_count; i++) {
    if (i >= drippers) setsockopt(background[i].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    else while (recv(background[i].fd, chunk, CHUNK, 0) > 0) continue;
    close(background[i].fd);
  }
}

static void measure_clients(on_block *done) {
  struct connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    fill(&all[i], i);
    open_connection(&all[i]);
  }
  for (int i = 0; i < connections; i++) begin_block(&all[i], now());
  run(all, connections, done);
  // The drippers' timer keeps the loop running even if the server sends nothing.
  if (recorded == 0) fail("nothing came back in the time measured");
  for (int i = 0; i < connections; i++) close(all[i].fd);
  report(all, connections);
}

// Prints two objects, as JSON: {"alone":…,"loaded":…}.
static void with_background(on_block *done) {
  if (drippers + flooders < 1) fail("-m background needs -d or -r");
  double each = seconds;
  printf("{\"alone\":");
  measure_clients(done);
  seconds = each;
  connect_background();
  printf(",\"loaded\":");
  measure_clients(done);
  check_background();
  close_background();
  printf("}\n");
}
