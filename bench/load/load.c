// The load generator for all servers: C, one thread, epoll. Each connection sends a block of `depth` messages, waits until all of
// it has come back, compares every byte, and continues. `depth` 1 is one message at a time.
//
// build: gcc -O2 -o load load.c [-DWITH_TLS -lssl -lcrypto]
// usage: load HOST PORT [-m mode] [-f protocol] [-c connections] [-p depth] [-s size] [-t seconds] [-w warm-up seconds] [-i interval] [-u] [-e]
//
//   -m  echo     (default) blocks back and forth over long-lived connections
//       connect  connect, one echo, close, repeat; `connections` at a time
//       idle     connect, one echo each, print a line, keep them open until the end of stdin
//       fanout   one sends, `connections` receive; -f lines, redis or nats
//       room     -b publishers send, `connections` receive and check order, loss and duplicates; -f lines, redis, nats,
//                websocket or socket.io. With -o PORT there are two nodes: every second client connects to that port
//       publish  each message is recorded before it is acknowledged; -f lines, redis or nats as for fanout
//       background  as echo, but twice: alone, and with -d clients that send a byte per second and -r clients that never read
//       pace     one connection sends a message every -i milliseconds, whether or not the earlier ones are answered
//       start    start a server (`load … -m start [-n times] [-k core] -- COMMAND`) until its first echoed line
//   -f  lines (default), json (lines of JSON), length (4 bytes), resp (commands), until (several lines a message) or websocket (text messages, masked
//       as a client must; with -m echo or idle)
//   -e  TLS, with -m echo or idle                 -u  expect upper-cased replies (a handler that transforms lines)
//   -P  a process of the server, whose share of a core is reported as one of `cpu`; up to four times
//   -s  bytes of a message, with the newline or whatever else frames it; with websocket, of its payload
//
// Prints one JSON object: messages, seconds, perSecond, and the latency of a block in microseconds (start: milliseconds;
// background: two of these objects, `alone` and `loaded`; pace: also the longest one).
#define _GNU_SOURCE
#include "settings.h"
#include "wires.h"
#include "tls.h"
#include "connection.h"
#include "histogram.h"
#include "measure.h"
#include "fan-out.h"
#include "room.h"
#include "publish.h"
#include "background.h"
#include "pace.h"
#include "start.h"

static void echoed(struct connection *c, double at) {
  record(at - c->began);
  messages += depth;
  begin_block(c, at);
}

static void echo(void) {
  struct connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    fill(&all[i], i);
    open_connection(&all[i]);
  }
  for (int i = 0; i < connections; i++) begin_block(&all[i], now());
  run(all, connections, echoed);
  report(all, connections);
}

static void connected(struct connection *c, double at) {
  static int number;
  record(at - c->began);
  messages++;
  close(c->fd);
  c->began = at;
  begin_to_open(c, number++);
}

static void connects(void) {
  struct connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    fill(&all[i], i);
    all[i].began = now();
    begin_to_open(&all[i], i);
  }
  run(all, connections, connected);
  report(all, connections);
}

static void idle(void) {
  struct connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    fill(&all[i], i);
    open_waiting(&all[i]);
    echo_waiting(&all[i]);
  }
  printf("{\"connected\":%d}\n", connections);
  fflush(stdout);
  char end;
  while (read(0, &end, 1) > 0) continue;
}

// Returns the command after `--`, if there is one.
static char **read_options(int count, char **options) {
  for (int i = 0; i < count; i++) {
    const char *option = options[i], *value = i + 1 < count ? options[i + 1] : "";
    if (!strcmp(option, "--")) return options + i + 1;
    if (!strcmp(option, "-u")) {
      upper = 1;
      continue;
    }
    if (!strcmp(option, "-e")) {
      is_encrypted = 1;
      continue;
    }
    if (!strcmp(option, "-c")) connections = atoi(value);
    else if (!strcmp(option, "-p")) depth = atoi(value);
    else if (!strcmp(option, "-s")) size = atol(value);
    else if (!strcmp(option, "-t")) seconds = atof(value);
    else if (!strcmp(option, "-w")) warm_up = atof(value);
    else if (!strcmp(option, "-i")) interval = atof(value);
    else if (!strcmp(option, "-m")) mode = value;
    else if (!strcmp(option, "-f")) protocol = value;
    else if (!strcmp(option, "-n")) samples = atoi(value);
    else if (!strcmp(option, "-b")) publishers = atoi(value);
    else if (!strcmp(option, "-k")) server_core = atoi(value);
    else if (!strcmp(option, "-o")) other_port = atoi(value);
    else if (!strcmp(option, "-P")) watch_process(atoi(value));
    else if (!strcmp(option, "-d")) drippers = atoi(value);
    else if (!strcmp(option, "-r")) flooders = atoi(value);
    else fail("unknown option");
    i++;
  }
  return NULL;
}

// No higher than needed, because a server started here inherits it.
static void raise_descriptor_limit(rlim_t needed) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return;
  limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
  if (argc < 3) fail("usage: load HOST PORT [-m mode] [-c connections] [-p depth] [-s size] [-t seconds] [-w warm-up] [-f protocol] [-u] [-e]");
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(argv[2]));
  if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) fail("HOST is an IPv4 address");
  char **command = read_options(argc - 3, argv + 3);
  if (connections < 1 || depth < 1 || size < 2 || samples < 1 || interval <= 0)
    fail("too small: at least -c 1, -p 1, -s 2, -n 1, -i above 0");
  // The other modes open their connections in ways of their own.
  int has_handshake = is_encrypted || (speaks_websocket() && strcmp(mode, "room"));
  if (has_handshake && strcmp(mode, "echo") && strcmp(mode, "idle"))
    fail("-e and -f websocket go with the modes echo and idle, and -f websocket with room");
  raise_descriptor_limit(connections + drippers + flooders + publishers + 64);
  // A generator that outlives its parent would disturb the next measurement.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  queue = epoll_create1(0);

  if (!strcmp(mode, "echo")) echo();
  else if (!strcmp(mode, "connect")) connects();
  else if (!strcmp(mode, "idle")) idle();
  else if (!strcmp(mode, "fanout")) fan_out();
  else if (!strcmp(mode, "room")) in_room();
  else if (!strcmp(mode, "publish") && !strcmp(protocol, "lines")) echo();
  else if (!strcmp(mode, "publish")) publish_all();
  else if (!strcmp(mode, "background")) with_background(echoed);
  else if (!strcmp(mode, "pace")) pace();
  else if (!strcmp(mode, "start")) start(command);
  else fail("the modes are echo, connect, idle, fanout, room, publish, background, pace and start");
  return 0;
}
