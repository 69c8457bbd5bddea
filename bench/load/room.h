// `publishers` send to a room of `connections` members, `depth` messages in flight each. Every member checks that it receives every
// message of every publisher, once and in order. Counts deliveries; the latency is that of a message to its last member.
//
// With two nodes, every second member and publisher is a client of the other one. Members may receive the messages of different
// nodes in different orders, but those of one node in the same order: the one in which the member that is furthest received them.
//
// A server frames every message alike, so that all that members receive is records of one length.

enum { PAYLOAD_HEAD = 16, MAX_RECORD = 4096, NODES = 2 };

// How one joins and publishes, and what a member receives: `before`, the payload, `after`.
struct room_protocol {
  const char *name;
  int is_websocket;
  const char *path;         // of a WebSocket
  const char *join;         // what a member sends first
  const char *joined;       // what is in the answer to that
  const char *hello;        // what a publisher sends first
  const char *greeted;      // what is in the answer to that
  const char *publish;      // before and after the payload of a message that is sent
  const char *publish_end;
  const char *before;       // before and after the payload of a message that is received
  const char *after;
};

static const struct room_protocol room_protocols[] = {
    {.name = "lines", .join = "join\n", .joined = "joined\n", .hello = "hello\n", .greeted = "hello\n",
     .publish = "", .publish_end = "\n", .before = "", .after = "\n"},
    {.name = "redis", .join = "SUBSCRIBE bench\r\n", .joined = ":1\r\n", .hello = "PING\r\n", .greeted = "+PONG\r\n",
     .publish = "PUBLISH bench ", .publish_end = "\r\n", .before = "*3\r\n$7\r\nmessage\r\n$5\r\nbench\r\n$%zu\r\n", .after = "\r\n"},
    {.name = "nats", .join = "CONNECT {\"verbose\":false}\r\nSUB bench 1\r\nPING\r\n", .joined = "PONG\r\n",
     .hello = "CONNECT {\"verbose\":false}\r\nPING\r\n", .greeted = "PONG\r\n",
     .publish = "PUB bench %zu\r\n", .publish_end = "\r\n", .before = "MSG bench 1 %zu\r\n", .after = "\r\n"},
    {.name = "websocket", .is_websocket = 1, .path = "/", .join = "join", .joined = "joined", .hello = "hello", .greeted = "hello",
     .publish = "", .publish_end = "", .before = "", .after = ""},
    {.name = "socket.io", .is_websocket = 1, .path = "/socket.io/?EIO=4&transport=websocket", .join = "42[\"join\"]", .joined = "[\"joined\"]",
     .hello = "42[\"hello\"]", .greeted = "[\"hello\"]",
     .publish = "42[\"m\",\"", .publish_end = "\"]", .before = "42[\"m\",\"", .after = "\"]"},
};

struct member {
  struct connection c;
  char record[MAX_RECORD];
  size_t filled;
  unsigned long *next;  // the number of the next message of each publisher
  unsigned long seen[NODES];  // how many messages of the publishers at each node it has received
};

struct publisher {
  struct connection c;
  int number;
  unsigned long sent, complete;
  int *missing;     // members that have not received a message, by its number modulo `depth`
  double *sent_at;  // the same
  char *unsent;
  size_t from, to;
};

static int publishers = 32;
static const struct room_protocol *room;
static size_t payload_size, before_size, record_size;
static char before[256];
static struct publisher *all_publishers;

// The publishers of a node's messages, in the order in which members received them. No member is further behind than there are
// messages in flight, so that a ring of that length is enough.
static struct order {
  int *senders;
  unsigned long length;
} orders[NODES];

static int node_of(int client) { return other_port ? client % NODES : 0; }

static const struct room_protocol *room_protocol_named(const char *name) {
  for (size_t i = 0; i < sizeof room_protocols / sizeof *room_protocols; i++)
    if (!strcmp(room_protocols[i].name, name)) return &room_protocols[i];
  fail("the protocols of a room are lines, redis, nats, websocket and socket.io");
  return NULL;
}

// A text frame of a WebSocket, whose length is below 64 KiB. A mask of zeros changes nothing.
static size_t text_frame(char *frame, const char *text, size_t length, int is_masked) {
  size_t at = 0;
  frame[at++] = (char)0x81;
  int bit = is_masked ? 0x80 : 0;
  if (length < 126) frame[at++] = (char)(bit | length);
  else {
    frame[at++] = (char)(bit | 126);
    frame[at++] = (char)(length >> 8);
    frame[at++] = (char)length;
  }
  if (is_masked) {
    memset(frame + at, 0, 4);
    at += 4;
  }
  memcpy(frame + at, text, length);
  return at + length;
}

// Sends a text and waits for an answer that contains what is due. A member may receive a message right behind it.
static void say(struct connection *c, const char *text, const char *due) {
  char frame[512], answer[8192];
  size_t length = strlen(text), got = 0;
  if (room->is_websocket) length = text_frame(frame, text, length, 1);
  else memcpy(frame, text, length);
  if (send(c->fd, frame, length, MSG_NOSIGNAL) != (ssize_t)length) die("send");
  while (!memmem(answer, got, due, strlen(due))) {
    if (got == sizeof answer) fail("too long an answer");
    ssize_t n = recv(c->fd, answer + got, sizeof answer - got, 0);
    if (n <= 0) fail("no answer to the greeting");
    got += n;
  }
}

static void enter(struct connection *c, int client, const char *text, const char *due) {
  static int first_port;
  if (!first_port) first_port = server.sin_port;
  server.sin_port = node_of(client) ? htons(other_port) : first_port;
  c->fd = new_socket(0);
  connect_waiting(c);
  if (room->is_websocket) upgrade_at(c, room->path);
  // Socket.IO confirms that one has connected to its default namespace.
  if (!strcmp(room->name, "socket.io")) say(c, "40", "\"}");
  say(c, text, due);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static size_t frame_of(struct publisher *p, char *frame) {
  char message[MAX_RECORD], payload[MAX_RECORD];
  memset(payload, 'x', payload_size);
  char head[PAYLOAD_HEAD + 1];
  snprintf(head, sizeof head, "%04d%012lu", p->number, p->sent);
  memcpy(payload, head, PAYLOAD_HEAD);
  size_t at = sprintf(message, room->publish, payload_size);
  memcpy(message + at, payload, payload_size);
  at += payload_size;
  at += sprintf(message + at, "%s", room->publish_end);
  if (room->is_websocket) return text_frame(frame, message, at, 1);
  memcpy(frame, message, at);
  return at;
}

static void push_out(struct publisher *p) {
  while (p->from < p->to) {
    ssize_t n = send(p->c.fd, p->unsent + p->from, p->to - p->from, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) die("send");
    p->from += n;
  }
  if (p->from == p->to) p->from = p->to = 0;
  int writing = p->to > 0;
  if (writing == p->c.writing) return;
  p->c.writing = writing;
  watch(&p->c, EPOLL_CTL_MOD, writing ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void publish_more(struct publisher *p, double at) {
  while (p->sent - p->complete < (unsigned long)depth) {
    int slot = p->sent % depth;
    if (p->missing[slot] > 0) break;
    p->missing[slot] = connections;
    p->sent_at[slot] = at;
    p->to += frame_of(p, p->unsent + p->to);
    p->sent++;
  }
  push_out(p);
}

static void act_as_publisher(struct connection *c) {
  // What comes back is not for members: acknowledgements.
  while (recv(c->fd, chunk, CHUNK, 0) > 0) continue;
  push_out((struct publisher *)c);
}

static unsigned long digits(const char *text, int count) {
  unsigned long number = 0;
  for (int i = 0; i < count; i++) {
    if (text[i] < '0' || text[i] > '9') fail("a member received what was not sent");
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

static void check_order(struct member *m, int publisher) {
  int node = node_of(publisher);
  struct order *order = &orders[node];
  unsigned long at = m->seen[node]++;
  int *sender = &order->senders[at % ((unsigned long)publishers * depth)];
  if (at == order->length) {
    order->length++;
    *sender = publisher;
  } else if (*sender != publisher) {
    fail("members received the messages of a node in different orders");
  }
}

static void check_record(struct member *m, const char *bytes, double at) {
  if (memcmp(bytes, before, before_size)) fail("a member received what was not sent");
  const char *payload = bytes + before_size;
  unsigned long number = digits(payload, 4), count = digits(payload + 4, 12);
  if (number >= (unsigned long)publishers) fail("a member received a message of no publisher");
  if (count != m->next[number]) fail(count < m->next[number] ? "a member received a message twice, or out of order" : "a member missed a message");
  m->next[number]++;
  messages++;
  if (other_port) check_order(m, number);
  struct publisher *p = &all_publishers[number];
  int slot = count % depth;
  if (--p->missing[slot] > 0) return;
  record(at - p->sent_at[slot]);
  p->complete++;
  publish_more(p, at);
}

static void act_as_member(struct connection *c) {
  struct member *m = (struct member *)c;
  ssize_t got = recv(c->fd, chunk, CHUNK, 0);
  if (got == 0) fail("the server closed a connection");
  if (got < 0 && errno == EAGAIN) return;
  if (got < 0) die("recv");
  c->blocks++;
  double at = now();
  for (ssize_t from = 0; from < got;) {
    // nats-server asks now and then whether its clients are alive.
    if (m->filled == 0 && got - from >= 6 && !strcmp(protocol, "nats") && !memcmp(chunk + from, "PING\r\n", 6)) {
      if (send(c->fd, "PONG\r\n", 6, MSG_NOSIGNAL) != 6) die("send");
      from += 6;
    } else if (m->filled == 0 && (size_t)(got - from) >= record_size) {
      check_record(m, chunk + from, at);
      from += record_size;
    } else {
      size_t part = record_size - m->filled;
      if (part > (size_t)(got - from)) part = got - from;
      memcpy(m->record + m->filled, chunk + from, part);
      m->filled += part;
      from += part;
      if (m->filled < record_size) break;
      m->filled = 0;
      check_record(m, m->record, at);
    }
  }
}

// Waits until each node knows that the other one has members, and discards what the clients of an earlier run have sent them.
static void settle(struct member *members) {
  usleep(100000);
  for (int i = 0; i < connections; i++)
    while (recv(members[i].c.fd, chunk, CHUNK, 0) > 0) continue;
}

static void no_block(struct connection *c, double at) {
  (void)c;
  (void)at;
}

// The form of what members receive.
static void prepare_record(void) {
  payload_size = size - 1;
  if (payload_size < PAYLOAD_HEAD) fail("too small: at least -s 17 for a room");
  char text[256], whole[MAX_RECORD], frame[MAX_RECORD];
  size_t text_size = sprintf(text, room->before, payload_size), after_size = strlen(room->after);
  memcpy(whole, text, text_size);
  memset(whole + text_size, 'x', payload_size);
  memcpy(whole + text_size + payload_size, room->after, after_size);
  size_t total = text_size + payload_size + after_size;
  size_t framed = room->is_websocket ? text_frame(frame, whole, total, 0) : total;
  before_size = framed - total + text_size;
  record_size = framed;
  memcpy(before, room->is_websocket ? frame : whole, before_size);
}

static void in_room(void) {
  room = room_protocol_named(protocol);
  prepare_record();
  struct member *members = calloc(connections, sizeof *members);
  struct connection **all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) {
    members[i].next = calloc(publishers, sizeof *members[i].next);
    enter(&members[i].c, i, room->join, room->joined);
    members[i].c.act = act_as_member;
    all[i] = &members[i].c;
  }
  all_publishers = calloc(publishers, sizeof *all_publishers);
  for (int i = 0; i < publishers; i++) {
    struct publisher *p = &all_publishers[i];
    p->number = i;
    p->missing = calloc(depth, sizeof *p->missing);
    p->sent_at = calloc(depth, sizeof *p->sent_at);
    p->unsent = malloc((size_t)MAX_RECORD * (depth + 1));
    p->c.act = act_as_publisher;
    enter(&p->c, i, room->hello, room->greeted);
  }
  for (int i = 0; i < NODES; i++) orders[i].senders = calloc((size_t)publishers * depth, sizeof(int));
  if (other_port) settle(members);
  for (int i = 0; i < publishers; i++) publish_more(&all_publishers[i], now());
  run(NULL, 0, no_block);
  int silent = 0;
  for (int i = 0; i < connections; i++) silent += all[i]->blocks == 0;
  report(NULL, 0);
  if (silent > 0) fail("members received nothing");
}
