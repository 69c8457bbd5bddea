// The settings of a run, and how it fails: with one line on stderr and status 1.
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMEOUT = 5 };  // seconds without any data from the server until the run fails

static int connections = 64, depth = 1, upper = 0, samples = 5, server_core = -1;
static int drippers = 0, flooders = 0, is_encrypted = 0;
// Of a server with two nodes: every second client connects to this port.
static int other_port = 0;
static size_t size = 64;
static double seconds = 1, warm_up = 0.2;
static const char *mode = "echo", *protocol = "lines";
static struct sockaddr_in server;

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void fail(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

static int speaks_websocket(void) { return !strcmp(protocol, "websocket"); }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
