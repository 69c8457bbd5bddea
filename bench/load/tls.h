// TLS on a connected socket, with OpenSSL. All servers are measured with TLS 1.3 and the same cipher, the one that Node.js and
// OpenSSL choose by default. Certificates are not verified: each run has its own.
//
// Without OpenSSL's headers the generator is built without TLS; the functions then only say so.

#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

// Several records are read with one call.
enum { READ_AHEAD = 1 << 16 };

static SSL_CTX *tls_context;

static void fail_tls(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, ERR_reason_error_string(ERR_peek_last_error()));
  exit(1);
}

static void open_tls_context(void) {
  // OpenSSL writes without MSG_NOSIGNAL.
  signal(SIGPIPE, SIG_IGN);
  tls_context = SSL_CTX_new(TLS_client_method());
  if (!tls_context || !SSL_CTX_set_min_proto_version(tls_context, TLS1_3_VERSION) ||
      !SSL_CTX_set_ciphersuites(tls_context, "TLS_AES_256_GCM_SHA384"))
    fail_tls("OpenSSL");
  SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(tls_context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(tls_context, 1);
  SSL_CTX_set_default_read_buffer_len(tls_context, READ_AHEAD);
}

// Completes the handshake on a blocking socket.
static SSL *tls_connect(int fd) {
  if (!tls_context) open_tls_context();
  SSL *tls = SSL_new(tls_context);
  if (!tls || !SSL_set_fd(tls, fd)) fail_tls("OpenSSL");
  if (SSL_connect(tls) != 1) fail_tls("the TLS handshake failed");
  return tls;
}

// The result of a call as send and recv report it: 0 when the server has closed, or -1 and errno.
static ssize_t tls_result(SSL *tls, int result) {
  if (result > 0) return result;
  switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: return errno ? -1 : 0;
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return 0;
  fail_tls("TLS");
  return -1;
}

static ssize_t tls_send(SSL *tls, const char *bytes, size_t count) { return tls_result(tls, SSL_write(tls, bytes, count)); }

// Returns the bytes of one record at most.
static ssize_t tls_recv(SSL *tls, char *bytes, size_t room) { return tls_result(tls, SSL_read(tls, bytes, room)); }

// Whether bytes have been read from the socket that tls_recv has not returned yet.
static int tls_has_more(SSL *tls) { return SSL_has_pending(tls); }

#else
typedef struct no_tls SSL;

static SSL *tls_connect(int fd) {
  (void)fd;
  fail("this generator was built without TLS: apt-get install libssl-dev");
  return NULL;
}

static ssize_t tls_send(SSL *tls, const char *bytes, size_t count) { return (void)tls, (void)bytes, (void)count, -1; }
static ssize_t tls_recv(SSL *tls, char *bytes, size_t room) { return (void)tls, (void)bytes, (void)room, -1; }
static int tls_has_more(SSL *tls) { return (void)tls, 0; }
#endif
