// The physical limit: an epoll echo server in C, one thread, no framing, no checks. Every other contender is measured
// against it.
//
// usage: epoll PORT      (0 takes a free one; prints "listening on PORT")
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
#include <unistd.h>

enum { CHUNK = 65536, EVENTS = 512 };

// What a client has not taken yet. Most connections never have any.
struct connection {
  int fd;
  int ended;
  char *unsent;
  size_t from, to;
};

static char chunk[CHUNK];
static int queue;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void drop(struct connection *c) {
  close(c->fd);
  free(c->unsent);
  free(c);
}

static void watch(struct connection *c, int op) {
  struct epoll_event event = {.events = c->unsent ? EPOLLOUT : EPOLLIN, .data.ptr = c};
  if (epoll_ctl(queue, op, c->fd, &event) < 0) fail("epoll_ctl");
}

// Sends what fits; keeps the rest and stops reading until it has gone. Returns -1 when the client is gone.
static int send_back(struct connection *c, const char *bytes, size_t size) {
  ssize_t sent = send(c->fd, bytes, size, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return -1;
  if (sent < 0) sent = 0;
  if ((size_t)sent == size) return 0;
  c->unsent = malloc(size - sent);
  memcpy(c->unsent, bytes + sent, size - sent);
  c->from = 0;
  c->to = size - sent;
  watch(c, EPOLL_CTL_MOD);
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

static int readable(struct connection *c) {
  ssize_t got = recv(c->fd, chunk, CHUNK, 0);
  if (got == 0) return -1;
  if (got < 0) return errno == EAGAIN ? 0 : -1;
  return send_back(c, chunk, got);
}

static void accept_all(int listener) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    watch(c, EPOLL_CTL_ADD);
  }
}

int main(int argc, char **argv) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, length) < 0) fail("bind");
  if (listen(listener, 4096) < 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);

  queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event);
  struct epoll_event events[EVENTS];
  for (;;) {
    int ready = epoll_wait(queue, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) accept_all(listener);
      else if ((c->unsent ? writable(c) : readable(c)) < 0) drop(c);
    }
  }
}
