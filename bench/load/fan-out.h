// One client sends, `connections` others receive; `depth` messages are in flight. Counts deliveries.
//
// Servers differ in how one subscribes and publishes: "lines" (each client receives what the others send), "redis", "nats".

static int waiting;
static struct connection *sender;

// Sends the greeting and waits until the answer ends with the expected text.
static void greet(struct connection *c, const char *hello, const char *due) {
  open_waiting(c);
  char answer[4096];
  size_t got = 0, due_length = strlen(due);
  if (send(c->fd, hello, strlen(hello), MSG_NOSIGNAL) < 0) die("send");
  while (got < due_length || memcmp(answer + got - due_length, due, due_length)) {
    ssize_t n = recv(c->fd, answer + got, sizeof answer - got, 0);
    if (n <= 0) fail("no subscription");
    got += n;
  }
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void open_client(struct connection *c) {
  int sends = c == sender;
  if (!strcmp(protocol, "redis")) {
    if (sends) greet(c, "PING\r\n", "+PONG\r\n");
    else greet(c, "SUBSCRIBE bench\r\n", "*3\r\n$9\r\nsubscribe\r\n$5\r\nbench\r\n:1\r\n");
  } else if (!strcmp(protocol, "nats")) {
    if (sends) greet(c, "CONNECT {\"verbose\":false}\r\nPING\r\n", "PONG\r\n");
    else greet(c, "CONNECT {\"verbose\":false}\r\nSUB bench 1\r\nPING\r\n", "PONG\r\n");
  } else if (!strcmp(protocol, "lines")) {
    open_connection(c);
  } else {
    fail("the protocols are lines, redis and nats");
  }
}

// The published bytes, and what each receiver must get.
static void fill_publication(struct connection *c) {
  char *message = calloc(1, size);
  c->block = malloc((size + 64) * depth);
  c->expected = malloc((size + 64) * depth);
  for (int i = 0; i < depth; i++) {
    write_message(message, size - 1, 0, i);
    char *sent = c->block + c->block_size, *due = c->expected + c->expected_size;
    if (!strcmp(protocol, "redis")) {
      c->block_size += sprintf(sent, "PUBLISH bench %s\r\n", message);
      c->expected_size += sprintf(due, "*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$%zu\r\n%s\r\n", size - 1, message);
    } else if (!strcmp(protocol, "nats")) {
      c->block_size += sprintf(sent, "PUB bench %zu\r\n%s\r\n", size - 1, message);
      c->expected_size += sprintf(due, "MSG bench 1 %zu\r\n%s\r\n", size - 1, message);
    } else {
      c->block_size += sprintf(sent, "%s\n", message);
      c->expected_size += sprintf(due, "%s\n", message);
    }
  }
  c->ignores_replies = 1;
}

static void publish(double at) {
  waiting = connections;
  begin_block(sender, at);
}

static void delivered(struct connection *c, double at) {
  c->received = 0;
  messages += depth;
  if (--waiting > 0) return;
  record(at - sender->began);
  publish(at);
}

static void fan_out(void) {
  struct connection *all = calloc(connections + 1, sizeof *all);
  sender = &all[connections];
  fill_publication(sender);
  // The sender comes last: a server that has accepted it has accepted all the others.
  for (int i = 0; i <= connections; i++) {
    all[i].expected = sender->expected;
    all[i].expected_size = sender->expected_size;
    open_client(&all[i]);
    // Lets a server with a short accept queue catch up; otherwise this would cost seconds.
    if (i % 50 == 49) usleep(2000);
  }
  publish(now());
  run(all, connections, delivered);
  report(all, connections);
}
