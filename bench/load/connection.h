// One connection: sends a block of messages and compares every byte that comes back.
#include <arpa/inet.h>
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
  SSL *tls;        // NULL without TLS
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

static ssize_t put(struct connection *c, const char *bytes, size_t count) {
  return c->tls ? tls_send(c->tls, bytes, count) : send(c->fd, bytes, count, MSG_NOSIGNAL);
}

static ssize_t take(struct connection *c, char *bytes, size_t room) {
  return c->tls ? tls_recv(c->tls, bytes, room) : recv(c->fd, bytes, room, 0);
}

// Asks for a WebSocket connection and checks the answer. The key and its answer are the example of RFC 6455, 1.3.
static void upgrade_at(struct connection *c, const char *path) {
  char request[512], answer[4096];
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                        path, ntohs(server.sin_port));
  if (put(c, request, length) != length) die("send");
  size_t got = 0;
  // Byte by byte, so that nothing behind the answer is read.
  while (got < 4 || memcmp(answer + got - 4, "\r\n\r\n", 4)) {
    if (got == sizeof answer - 1 || take(c, answer + got, 1) != 1) fail("no answer to the WebSocket handshake");
    got++;
  }
  answer[got] = 0;
  if (strncmp(answer, "HTTP/1.1 101 ", 13)) fail("the server refused the WebSocket handshake");
  if (!strstr(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) fail("the answer to the WebSocket handshake is wrong");
}

static void upgrade(struct connection *c) { upgrade_at(c, "/"); }

// Returns when all handshakes are complete.
static void open_waiting(struct connection *c) {
  c->fd = new_socket(0);
  connect_waiting(c);
  if (is_encrypted) c->tls = tls_connect(c->fd);
  if (speaks_websocket()) upgrade(c);
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

// A block of messages, and what must come back.
static void fill(struct connection *c, int number) {
  const struct wire *wire = wire_named(protocol);
  c->block = malloc((size + HEAD) * depth);
  for (int i = 0; i < depth; i++) c->block_size += wire->request(c->block + c->block_size, number, i);
  c->expected = c->block;
  c->expected_size = c->block_size;
  if (wire->reply) {
    c->expected = malloc((size + HEAD) * depth);
    c->expected_size = 0;
    for (int i = 0; i < depth; i++) c->expected_size += wire->reply(c->expected + c->expected_size, number, i);
  }
  if (!upper) return;
  c->expected = malloc(c->expected_size);
  for (size_t i = 0; i < c->expected_size; i++) c->expected[i] = toupper(c->block[i]);
}

static void send_block(struct connection *c) {
  while (c->sent < c->block_size) {
    ssize_t n = put(c, c->block + c->sent, c->block_size - c->sent);
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

// Compares a chunk with what must come back. Returns 1 when the whole block has.
static int compare(struct connection *c, size_t got) {
  if (c->ignores_replies) return 0;
  size_t count = answer_ping(c, got);
  if (count == 0) return 0;
  if (c->received + count > c->expected_size) fail("more came back than was sent");
  if (memcmp(c->expected + c->received, chunk, count)) fail("what came back is not what was sent");
  c->received += count;
  return c->received == c->expected_size;
}

// Returns 1 when the whole block has come back.
static int receive(struct connection *c) {
  do {
    ssize_t got = take(c, chunk, CHUNK);
    if (got == 0) fail("the server closed a connection");
    if (got < 0 && errno == EAGAIN) return 0;
    if (got < 0) die("recv");
    if (compare(c, got)) return 1;
    // epoll does not report what TLS has already read from the socket.
  } while (c->tls && tls_has_more(c->tls));
  return 0;
}

// Sends a block and waits for it; the connection was opened in blocking mode.
static void echo_waiting(struct connection *c) {
  for (size_t sent = 0; sent < c->block_size;) {
    ssize_t n = put(c, c->block + sent, c->block_size - sent);
    if (n <= 0) die("send");
    sent += n;
  }
  double deadline = now() + TIMEOUT;
  while (!receive(c)) {
    if (now() > deadline) fail("no reply for 5 s");
  }
}
