/* Time, CPU time of process trees, latencies as JSON, and the pattern that is sent where bytes are compared. */
#include "loadgen.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

_Noreturn void fail(const char *what) {
  fprintf(stderr, "loadgen: %s: %s\n", what, errno ? strerror(errno) : "failed");
  exit(1);
}

static double cpu_of_children(pid_t pid, int depth);

/* The clock of a process counts in nanoseconds and includes its ended threads; /proc/PID/stat counts in 10 ms. */
static double cpu_of_tree(pid_t pid, int depth) {
  clockid_t clock;
  struct timespec used = {0, 0};
  if (clock_getcpuclockid(pid, &clock) == 0) clock_gettime(clock, &used);
  return (double)used.tv_sec + (double)used.tv_nsec / 1e9 + (depth < 4 ? cpu_of_children(pid, depth + 1) : 0);
}

static double cpu_of_children(pid_t pid, int depth) {
  char path[300], list[4096];
  double sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  if (!tasks) return 0;
  for (struct dirent *task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/children", pid, task->d_name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, list, sizeof list - 1);
    if (fd >= 0) close(fd);
    if (count <= 0) continue;
    list[count] = 0;
    char *rest = list;
    for (char *one; (one = strtok_r(rest, " ", &rest));) sum += cpu_of_tree(atoi(one), depth);
  }
  closedir(tasks);
  return sum;
}

void sample_cpu(struct cpu *cpu) {
  for (int i = 0; i < options.pid_count; i++) cpu->seconds[i] = cpu_of_tree(options.pids[i], 0);
}

void print_cpu(const struct cpu *before, const struct cpu *after) {
  printf("\"cpu\":[");
  for (int i = 0; i < options.pid_count; i++) printf("%s%.6f", i ? "," : "", after->seconds[i] - before->seconds[i]);
  printf("]");
}

int compare_u64(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

void print_latencies(const char *name, uint64_t *ns, long count) {
  qsort(ns, (size_t)count, sizeof *ns, compare_u64);
  printf("\"%s\":{\"count\":%ld", name, count);
  static const int percentiles[] = {50, 90, 99};
  for (int i = 0; count && i < 3; i++)
    printf(",\"p%d\":%.2f", percentiles[i], (double)ns[(count - 1) * percentiles[i] / 100] / 1e3);
  if (count) printf(",\"max\":%.2f", (double)ns[count - 1] / 1e3);
  printf("}");
}

/* xorshift64, one byte a step. */
void fill_pattern(uint8_t pattern[PERIOD]) {
  uint64_t x = 0x9e3779b97f4a7c15ull;
  for (int i = 0; i < PERIOD; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    pattern[i] = (uint8_t)(x >> 56);
  }
}

/* FNV-1a, 64 bits. */
uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 0x100000001b3ull;
  return hash;
}
