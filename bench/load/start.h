// Measures the time from starting a server to its first echoed line: connects in a tight loop, from another core.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void become_server(char **command) {
  // The server ends with this program, however that ends.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int nowhere = open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; fd++) dup2(nowhere, fd);
  execvp(command[0], command);
  _exit(127);
}

// Set by the parent: the child would first have to be scheduled on the core where this program spins.
static void move_to_core(pid_t child, int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  if (sched_setaffinity(child, sizeof cores, &cores) < 0) die("sched_setaffinity");
}

static int connect_when_listening(pid_t child, double deadline) {
  for (;;) {
    int fd = new_socket(0);
    if (connect(fd, (struct sockaddr *)&server, sizeof server) == 0) return fd;
    close(fd);
    if (waitpid(child, NULL, WNOHANG) == child) fail("the server ended before it listened");
    if (now() > deadline) fail("the server does not listen");
  }
}

// Kills the server's own children, which this program inherited when the server died.
static void kill_orphans(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  FILE *children = fopen(path, "r");
  if (!children) return;
  for (int child; fscanf(children, "%d", &child) == 1;) kill(child, SIGKILL);
  fclose(children);
}

// Waits until all have exited, because a child of the server may hold the port as well.
static void end_server(pid_t child) {
  kill(child, SIGKILL);
  while (waitpid(-1, NULL, 0) > 0) kill_orphans();
}

// Returns seconds.
static double start_once(char **command, struct connection *c) {
  double began = now();
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) become_server(command);
  if (server_core >= 0) move_to_core(child, server_core);
  c->fd = connect_when_listening(child, began + 2 * TIMEOUT);
  struct timeval timeout = {.tv_sec = TIMEOUT};
  setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  c->received = 0;
  if (send(c->fd, c->block, c->block_size, MSG_NOSIGNAL) != (ssize_t)c->block_size) die("send");
  while (!receive(c)) {
    if (now() - began > 3 * TIMEOUT) fail("no reply from the server that was started");
  }
  double took = now() - began;
  // A reset leaves no TIME-WAIT that would keep the next server from the port.
  struct linger hard = {.l_onoff = 1, .l_linger = 0};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(c->fd);
  end_server(child);
  return took;
}

static int ascending(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return (difference > 0) - (difference < 0);
}

static void start(char **command) {
  if (!command || !command[0]) fail("-m start needs a command: load HOST PORT -m start -- COMMAND");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  struct connection c = {0};
  fill(&c, 0);
  double *took = malloc(samples * sizeof *took);
  for (int i = 0; i < samples; i++) took[i] = start_once(command, &c) * 1e3;
  qsort(took, samples, sizeof *took, ascending);
  printf("{\"milliseconds\":%.3f,\"fastest\":%.3f,\"slowest\":%.3f}\n", took[samples / 2], took[0],
         took[samples - 1]);
}
