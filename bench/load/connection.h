// One connection: sends a block of messages and compares every byte that comes back.
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum { CHUNK = 1 << 18 };

struct connection {
  int fd;
  char *block;     // what is sent
  char *expected;  // what must come back
  size_t block_size, expected_size;
  size_t sent, received;
  double began;
  unsigned long blocks;  // received while measuring
  int writing;           // the block has not been written completely
  int ignores_replies;              // ignores what comes back
  int number;            // index among the publishers
  void (*act)(struct connection *c);  // handles events instead of sending and receiving blocks
};

static int queue;
static char chunk[CHUNK];

static void watch(struct connection *c, int op, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(queue, op, c->fd, &event) < 0) die("epoll_ctl");
}

// Short-lived connections exhaust the ports of one address, so they use several: 127.0.0.1, .2, …
static void choose_source(int fd, int number) {
  int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + number)};
  if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0) die("bind");
}

static int new_socket(int type) {
  int fd = socket(AF_INET, SOCK_STREAM | type, 0);
  if (fd < 0) die("socket");
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

// Waits until it is connected; later waits are limited to TIMEOUT.
static void connect_waiting(struct connection *c) {
  struct timeval timeout = {.tv_sec = TIMEOUT};
  setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0) die("connect");
}

static void open_waiting(struct connection *c) {
  c->fd = new_socket(0);
  connect_waiting(c);
}

static void open_connection(struct connection *c) {
  open_waiting(c);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

// Starts to connect; the block is sent once the connection is established.
static void begin_to_open(struct connection *c, int number) {
  c->fd = new_socket(SOCK_NONBLOCK);
  choose_source(c->fd, number % 16);
  if (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) die("connect");
  c->sent = c->received = 0;
  c->writing = 1;
  watch(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

// A message is its connection's number, its own number, then letters, so that mixed-up messages are detected.
static void write_message(char *message, size_t length, int connection, int number) {
  memset(message, 'a' + (connection + number) % 26, length);
  char head[32];
  size_t head_length = snprintf(head, sizeof head, "%x-%x-", connection, number);
  memcpy(message, head, head_length < length ? head_length : length);
}

// Lines, and the same lines expected back.
static void fill(struct connection *c, int number) {
  c->block_size = c->expected_size = size * depth;
  c->block = c->expected = malloc(c->block_size);
  for (int i = 0; i < depth; i++) {
    write_message(c->block + i * size, size - 1, number, i);
    c->block[(i + 1) * size - 1] = '\n';
  }
  if (!upper) return;
  c->expected = malloc(c->expected_size);
  for (size_t i = 0; i < c->expected_size; i++) c->expected[i] = toupper(c->block[i]);
}

static void send_block(struct connection *c) {
  while (c->sent < c->block_size) {
    ssize_t n = send(c->fd, c->block + c->sent, c->block_size - c->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
    if (n < 0) die("send");
    c->sent += n;
  }
  int writing = c->sent < c->block_size;
  if (writing == c->writing) return;
  c->writing = writing;
  watch(c, EPOLL_CTL_MOD, writing ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void begin_block(struct connection *c, double at) {
  c->sent = c->received = 0;
  c->began = at;
  send_block(c);
}

// nats-server sends PING now and then, before or after a block. Answers it, removes it
// from the chunk, and returns the remaining length.
static size_t answer_ping(struct connection *c, size_t got) {
  const char *ping = "PING\r\n", *end = chunk + got - 6;
  if (strcmp(protocol, "nats") || got < 6) return got;
  int before = c->received % c->expected_size == 0 && !memcmp(chunk, ping, 6);
  int after = c->received + got - 6 == c->expected_size && !memcmp(end, ping, 6);
  if (!before && !after) return got;
  if (send(c->fd, "PONG\r\n", 6, MSG_NOSIGNAL) != 6) die("send");
  if (before) memmove(chunk, chunk + 6, got - 6);
  return got - 6;
}

// Returns 1 when the whole block has come back.
static int receive(struct connection *c) {
  ssize_t got = recv(c->fd, chunk, CHUNK, 0);
  if (got == 0) fail("the server closed a connection");
  if (got < 0 && errno == EAGAIN) return 0;
  if (got < 0) die("recv");
  if (c->ignores_replies) return 0;
  size_t count = answer_ping(c, got);
  if (count == 0) return 0;
  if (c->received + count > c->expected_size) fail("more came back than was sent");
  if (memcmp(c->expected + c->received, chunk, count)) fail("what came back is not what was sent");
  c->received += count;
  return c->received == c->expected_size;
}

// Sends a block and waits for it; the connection was opened in blocking mode.
static void echo_waiting(struct connection *c) {
  if (send(c->fd, c->block, c->block_size, MSG_NOSIGNAL) != (ssize_t)c->block_size) die("send");
  double deadline = now() + TIMEOUT;
  while (!receive(c)) {
    if (now() > deadline) fail("no reply for 5 s");
  }
}
