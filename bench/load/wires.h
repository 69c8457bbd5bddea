// How each protocol frames a message: what the client sends, and what must come back from a server that echoes messages.
#include <ctype.h>

enum {
  HEAD = 16,       // the most bytes that a framing adds to `size`
  BYTES_OF_MASK = 4,
  REPLY_LINES = 3  // lines of a message of the protocol "until"
};

// Writes a message of a connection, framed, and returns its length.
typedef size_t write_frame(char *frame, int connection, int number);

struct wire {
  const char *name;
  write_frame *request;
  write_frame *reply;  // NULL if the reply has the bytes of the request
};

// A message is its connection's number, its own number, then letters, so that mixed-up messages are detected.
static void write_message(char *message, size_t length, int connection, int number) {
  memset(message, 'a' + (connection + number) % 26, length);
  char head[32];
  size_t head_length = snprintf(head, sizeof head, "%x-%x-", connection, number);
  memcpy(message, head, head_length < length ? head_length : length);
}

// abc LF
static size_t write_line(char *frame, int connection, int number) {
  write_message(frame, size - 1, connection, number);
  frame[size - 1] = '\n';
  return size;
}

// {"from":1,"number":2,"values":[1.5,true,"two"],"text":"abc"} LF: as it is written again by a server that has read it.
static size_t write_json(char *frame, int connection, int number) {
  char head[96];
  size_t at = snprintf(head, sizeof head, "{\"from\":%d,\"number\":%d,\"values\":[1.5,true,\"two\"],\"text\":\"", connection, number);
  if (at + 3 > size) fail("too small: at least -s 100 for json");
  memcpy(frame, head, at);
  write_message(frame + at, size - at - 3, connection, number);
  memcpy(frame + size - 3, "\"}\n", 3);
  return size;
}

// The length of the payload in four bytes, then the payload: `size` bytes together.
static size_t write_length(char *frame, int connection, int number) {
  if (size < 4) fail("too small: at least -s 4 for length");
  size_t payload = size - 4;
  for (int i = 0; i < 4; i++) frame[i] = payload >> (24 - 8 * i);
  write_message(frame + 4, payload, connection, number);
  return size;
}

// *2 CRLF $4 CRLF ECHO CRLF $3 CRLF abc CRLF: a command, `size` bytes together, or one less where the number has another digit.
static size_t write_resp(char *frame, int connection, int number) {
  char head[64];
  size_t payload = size, head_length;
  do {
    head_length = snprintf(head, sizeof head, "*2\r\n$4\r\nECHO\r\n$%zu\r\n", --payload);
    if (payload == 0) fail("too small: at least -s 22 for resp");
  } while (head_length + payload + 2 > size);
  memcpy(frame, head, head_length);
  write_message(frame + head_length, payload, connection, number);
  memcpy(frame + head_length + payload, "\r\n", 2);
  return head_length + payload + 2;
}

// 250-abc LF 250-abc LF 250 abc LF: the last line of a message begins with a number and a space; `size` bytes together.
static size_t write_reply_lines(char *frame, int connection, int number) {
  size_t each = size / REPLY_LINES, at = 0;
  if (each < 6) fail("too small: at least -s 18 for until");
  for (int i = 0; i < REPLY_LINES; i++) {
    int is_last = i == REPLY_LINES - 1;
    size_t length = is_last ? size - at : each;
    memcpy(frame + at, is_last ? "250 " : "250-", 4);
    write_message(frame + at + 4, length - 5, connection, number);
    frame[at + length - 1] = '\n';
    at += length;
  }
  return size;
}

// The head of a text frame with a payload of `size` bytes (RFC 6455, 5.2).
static size_t write_websocket_head(unsigned char *frame, int is_masked) {
  int bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  frame[0] = 0x81;
  frame[1] = (is_masked ? 0x80 : 0) | (bytes == 0 ? size : bytes == 2 ? 126 : 127);
  for (int i = 0; i < bytes; i++) frame[2 + i] = size >> 8 * (bytes - 1 - i);
  return 2 + bytes;
}

static size_t write_websocket_reply(char *frame, int connection, int number) {
  size_t head = write_websocket_head((unsigned char *)frame, 0);
  write_message(frame + head, size, connection, number);
  return head + size;
}

// Each frame has a mask of its own; they are written once and sent again and again.
static size_t write_websocket_request(char *frame, int connection, int number) {
  size_t head = write_websocket_head((unsigned char *)frame, 1);
  unsigned mask = (connection * 7919u + number) * 2654435761u | 1;
  memcpy(frame + head, &mask, BYTES_OF_MASK);
  char *payload = frame + head + BYTES_OF_MASK;
  write_message(payload, size, connection, number);
  for (size_t i = 0; i < size; i++) payload[i] ^= frame[head + i % BYTES_OF_MASK];
  return head + BYTES_OF_MASK + size;
}

static const struct wire wires[] = {
    {"lines", write_line, NULL},
    {"json", write_json, NULL},
    {"length", write_length, NULL},
    {"resp", write_resp, NULL},
    {"until", write_reply_lines, NULL},
    {"websocket", write_websocket_request, write_websocket_reply},
};

static const struct wire *wire_named(const char *name) {
  for (size_t i = 0; i < sizeof wires / sizeof *wires; i++) {
    if (!strcmp(wires[i].name, name)) return &wires[i];
  }
  fail("the protocols of this mode are lines, length, resp, until and websocket");
  return NULL;
}
