// Each connection has a block of messages recorded and waits until all are acknowledged. Servers differ in the
// request and in the acknowledgement; acknowledgements are counted, because their contents are not known beforehand:
//
//   lines   the message; it comes back (that is the mode "echo", which compares it)
//   redis   XADD to one stream; "$15" and the number of the entry
//   nats    a publication to a JetStream stream; "MSG …" to the inbox of the connection, and JSON

// Lines of the answer received so far, and the beginning of the current one.
struct answer {
  size_t lines, column;
  char head[4];
};

static struct answer *answers;

enum { LINES_OF_ANSWER = 2 };

static void greet_publisher(struct connection *c, int number) {
  char hello[512];
  if (!strcmp(protocol, "redis")) {
    greet(c, "PING\r\n", "+PONG\r\n");
  } else if (!strcmp(protocol, "nats")) {
    snprintf(hello, sizeof hello, "CONNECT {\"verbose\":false}\r\nSUB _INBOX.%d 1\r\nPING\r\n", number);
    greet(c, hello, "PONG\r\n");
  } else {
    fail("the protocols are lines, redis and nats");
  }
}

// The stream that all connections publish to.
static void create_stream(void) {
  struct connection c = {0};
  const char *config = "{\"name\":\"BENCH\",\"subjects\":[\"bench\"],\"storage\":\"file\",\"num_replicas\":1}";
  char order[512];
  snprintf(order, sizeof order,
           "CONNECT {\"verbose\":false}\r\nSUB _INBOX.setup 1\r\nPUB $JS.API.STREAM.CREATE.BENCH _INBOX.setup %zu\r\n%s\r\n",
           strlen(config), config);
  greet(&c, order, "}\r\n");
  // The "}" may have ended the server's greeting; the stream exists a moment later.
  usleep(200000);
  close(c.fd);
}

static void fill_publications(struct connection *c, int number) {
  char *message = calloc(1, size);
  c->block = malloc((size + 128) * depth);
  for (int i = 0; i < depth; i++) {
    write_message(message, size - 1, number, i);
    char *end = c->block + c->block_size;
    if (!strcmp(protocol, "redis"))
      c->block_size += sprintf(end, "*5\r\n$4\r\nXADD\r\n$5\r\nbench\r\n$1\r\n*\r\n$1\r\nm\r\n$%zu\r\n%s\r\n", size - 1, message);
    else
      c->block_size += sprintf(end, "PUB bench _INBOX.%d %zu\r\n%s\r\n", number, size - 1, message);
  }
  free(message);
}

// Handles a complete line. An error fails the run; a PING is answered and not counted.
static void end_line(struct connection *c, struct answer *answer) {
  if (answer->head[0] == '-') fail("the server refused a message");
  if (!memcmp(answer->head, "PING", 4)) {
    if (send(c->fd, "PONG\r\n", 6, MSG_NOSIGNAL) != 6) die("send");
  } else {
    answer->lines++;
  }
  answer->column = 0;
  memset(answer->head, 0, sizeof answer->head);
}

static void take_answers(struct connection *c) {
  struct answer *answer = &answers[c->number];
  ssize_t got = recv(c->fd, chunk, CHUNK, 0);
  if (got == 0) fail("the server closed a connection");
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) die("recv");
  if (memmem(chunk, got, "\"error\"", 7)) fail("the server refused a message");
  for (char *at = chunk, *end = chunk + got; at < end;) {
    char *found = memchr(at, '\n', end - at), *stop = found ? found : end;
    for (char *p = at; p < stop && answer->column < sizeof answer->head; p++) answer->head[answer->column++] = *p;
    if (!found) return;
    end_line(c, answer);
    at = found + 1;
  }
}

// Called when the connection is readable or writable.
static void publish_on(struct connection *c) {
  struct answer *answer = &answers[c->number];
  if (c->writing) send_block(c);
  take_answers(c);
  if (answer->lines < (size_t)depth * LINES_OF_ANSWER) return;
  if (answer->lines > (size_t)depth * LINES_OF_ANSWER) fail("more was answered than was sent");
  answer->lines = 0;
  double t = now();
  c->blocks++;
  record(t - c->began);
  messages += depth;
  begin_block(c, t);
}

static void acknowledged(struct connection *c, double at) {
  (void)c;
  (void)at;
}

static void publish_all(void) {
  struct connection *all = calloc(connections, sizeof *all);
  answers = calloc(connections, sizeof *answers);
  if (!strcmp(protocol, "nats")) create_stream();
  for (int i = 0; i < connections; i++) {
    all[i].number = i;
    all[i].act = publish_on;
    fill_publications(&all[i], i);
    greet_publisher(&all[i], i);
  }
  for (int i = 0; i < connections; i++) begin_block(&all[i], now());
  run(all, connections, acknowledged);
  report(all, connections);
}
