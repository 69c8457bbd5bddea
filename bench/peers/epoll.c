// The physical limit: an epoll server in C, one thread, no framing, no checks. All other contenders are compared with it.
//
// usage: epoll PORT|PATH [echo|upper|fanout]     (0 takes a free port; prints "listening on 127.0.0.1:PORT"; a path, which begins
//        with a slash, is a Unix socket)
//
//   echo    (default) sends back what it receives     upper   the same in upper case, a to z only
//   fanout  sends what it receives to all other clients
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CHUNK = 65536, EVENTS = 512 };

struct connection {
  int fd;
  char *unsent;  // bytes the client has not accepted yet; usually none
  size_t from, to;
};

// Handles a chunk. Returns -1 if its sender is gone.
typedef int on_chunk(struct connection *c, char *bytes, size_t size);

static char chunk[CHUNK];
static int queue;
static int reads_while_unsent;  // with fanout, a slow client may still send
static struct connection **clients;
static size_t client_count, client_room;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void add(struct connection *c) {
  if (client_count == client_room) {
    client_room = client_room ? client_room * 2 : 64;
    clients = realloc(clients, client_room * sizeof *clients);
  }
  clients[client_count++] = c;
}

static void drop(struct connection *c) {
  for (size_t i = 0; i < client_count; i++) {
    if (clients[i] == c) clients[i--] = clients[--client_count];
  }
  close(c->fd);
  free(c->unsent);
  free(c);
}

static void watch(struct connection *c, int op) {
  unsigned reading = !c->unsent || reads_while_unsent ? EPOLLIN : 0;
  struct epoll_event event = {.events = reading | (c->unsent ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(queue, op, c->fd, &event) < 0) fail("epoll_ctl");
}

static void keep(struct connection *c, const char *bytes, size_t size) {
  int first = !c->unsent;
  if (first) c->from = c->to = 0;
  c->unsent = realloc(c->unsent, c->to + size);
  memcpy(c->unsent + c->to, bytes, size);
  c->to += size;
  if (first) watch(c, EPOLL_CTL_MOD);
}

// Sends what fits and keeps the rest.
static int send_to(struct connection *c, const char *bytes, size_t size) {
  ssize_t sent = 0;
  if (!c->unsent) {
    sent = send(c->fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return -1;
    if (sent < 0) sent = 0;
  }
  if ((size_t)sent < size) keep(c, bytes + sent, size - sent);
  return 0;
}

static int writable(struct connection *c) {
  ssize_t sent = send(c->fd, c->unsent + c->from, c->to - c->from, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN ? 0 : -1;
  c->from += sent;
  if (c->from < c->to) return 0;
  free(c->unsent);
  c->unsent = NULL;
  watch(c, EPOLL_CTL_MOD);
  return 0;
}

static int echo(struct connection *c, char *bytes, size_t size) { return send_to(c, bytes, size); }

static int upper(struct connection *c, char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) bytes[i] -= bytes[i] >= 'a' && bytes[i] <= 'z' ? 'a' - 'A' : 0;
  return send_to(c, bytes, size);
}

static int fanout(struct connection *from, char *bytes, size_t size) {
  for (size_t i = 0; i < client_count; i++) {
    // epoll reports a closed connection, which is dropped then.
    if (clients[i] != from) send_to(clients[i], bytes, size);
  }
  return 0;
}

static int readable(struct connection *c, on_chunk *handle) {
  ssize_t got = recv(c->fd, chunk, CHUNK, 0);
  if (got == 0) return -1;
  if (got < 0) return errno == EAGAIN ? 0 : -1;
  return handle(c, chunk, got);
}

static void accept_all(int listener, on_chunk *handle) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    if (handle == fanout) add(c);
    watch(c, EPOLL_CTL_ADD);
  }
}

static int listen_at(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) < 0) fail("bind");
  if (listen(listener, 4096) < 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static int listen_at_path(const char *path) {
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    fprintf(stderr, "epoll: the path is too long\n");
    exit(1);
  }
  strcpy(address.sun_path, path);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (listen(listener, 4096) < 0) fail("listen");
  return listener;
}

static on_chunk *handler_named(const char *name) {
  if (!strcmp(name, "upper")) return upper;
  if (!strcmp(name, "fanout")) return fanout;
  if (!strcmp(name, "echo")) return echo;
  fprintf(stderr, "epoll: the modes are echo, upper and fanout\n");
  exit(1);
}

int main(int argc, char **argv) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  on_chunk *handle = handler_named(argc > 2 ? argv[2] : "echo");
  reads_while_unsent = handle == fanout;
  const char *where = argc > 1 ? argv[1] : "0";
  int listener = where[0] == '/' ? listen_at_path(where) : listen_at(atoi(where));
  queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
  struct epoll_event events[EVENTS];
  for (;;) {
    int ready = epoll_wait(queue, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) {
        accept_all(listener, handle);
        continue;
      }
      int gone = (events[i].events & EPOLLOUT) && c->unsent && writable(c) < 0;
      if (!gone && (events[i].events & ~EPOLLOUT)) gone = readable(c, handle) < 0;
      if (gone) drop(c);
    }
  }
}
