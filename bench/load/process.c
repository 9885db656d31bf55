/* Processes: how long one takes to start, and one that is pinned and does not outlive its parent. */
#include "loadgen.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

enum { WARM_STARTS = 2, PATIENCE_MS = 10000 };

/* Ends with this parent, even where that is killed. `fork` to exec leaves a gap, which the parent's id closes. */
static void tie_to_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
}

struct child {
  pid_t pid;
  int in, out;
};

static struct child spawn(char **command) {
  int in[2], out[2];
  pid_t parent = getpid();
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) fail("pipe");
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    tie_to_parent(parent);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    execvp(command[0], command);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  return (struct child){pid, in[1], out[0]};
}

static bool wait_for_marker(const struct child *child) {
  char text[16384];
  size_t length = 0;
  for (uint64_t end = now_ns() + PATIENCE_MS * 1000000ull; now_ns() < end && length < sizeof text - 1;) {
    struct pollfd ready = {.fd = child->out, .events = POLLIN};
    if (poll(&ready, 1, PATIENCE_MS) <= 0) return false;
    ssize_t count = read(child->out, text + length, sizeof text - 1 - length);
    if (count <= 0) return false;
    length += (size_t)count;
    text[length] = 0;
    if (strstr(text, options.marker)) return true;
  }
  return false;
}

/* A closed stdin asks a PT to end; after 1 s it gets SIGTERM, after 2 s SIGKILL. Its CPU time in ns. */
static uint64_t end_child(const struct child *child) {
  struct rusage usage = {0};
  close(child->in);
  close(child->out);
  for (int tries = 0; wait4(child->pid, NULL, WNOHANG, &usage) == 0; tries++) {
    if (tries == 1000) kill(child->pid, SIGTERM);
    if (tries == 2000) kill(child->pid, SIGKILL);
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
  struct timeval u = usage.ru_utime, s = usage.ru_stime;
  return (uint64_t)(u.tv_sec + s.tv_sec) * 1000000000ull + (uint64_t)(u.tv_usec + s.tv_usec) * 1000ull;
}

int run_start(void) {
  uint64_t *ns = calloc((size_t)options.count, sizeof *ns), *cpu = calloc((size_t)options.count, sizeof *cpu);
  int done = 0, failed = 0;
  errno = EINVAL;
  if (!options.command || !options.command[0] || !ns || !cpu) fail("start needs a command");
  for (int i = -WARM_STARTS; i < options.count && failed < 3; i++) {
    uint64_t began = now_ns();
    struct child child = spawn(options.command);
    bool ok = wait_for_marker(&child);
    uint64_t took = now_ns() - began, used = end_child(&child);
    if (!ok) failed++;
    if (!ok || i < 0) continue;
    cpu[done] = used;
    ns[done++] = took;
  }
  printf("{\"failed\":%d,", failed);
  print_latencies("us", ns, done);
  printf(",");
  print_latencies("cpu_us", cpu, done);
  printf("}\n");
  free(ns);
  free(cpu);
  return 0;
}

/* What the processes of --pids use while nothing is asked of them. */
int run_watch(void) {
  struct cpu before, after;
  uint64_t began = now_ns();
  sample_cpu(&before);
  usleep((useconds_t)(options.seconds * 1e6));
  sample_cpu(&after);
  printf("{\"seconds\":%.6f,", (double)(now_ns() - began) / 1e9);
  print_cpu(&before, &after);
  printf("}\n");
  return 0;
}

static void raise_file_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  rlim_t wanted = (rlim_t)options.files;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (limit.rlim_max < wanted) limit.rlim_max = wanted; /* root may */
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run_exec(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (options.files) raise_file_limit();
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(options.cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) fail("this process could not be pinned");
  }
  errno = EINVAL;
  if (!options.command || !options.command[0]) fail("exec needs a command");
  execvp(options.command[0], options.command);
  fail(options.command[0]);
}
