/* What is done on one connection: round trips, and transfers that are counted and compared byte by byte. */
#include "loadgen.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_one(void) {
  int fd;
  open_all(&fd, 1);
  make_blocking(fd);
  return fd;
}

int run_ping(void) {
  static uint8_t out[65536], in[65536];
  int fd = open_one(), warm = options.count / 10 + 20;
  uint64_t *ns = calloc((size_t)options.count, sizeof *ns), end = now_ns() + (uint64_t)(options.seconds * 1e9);
  long done = 0;
  struct cpu before, after;
  if (!ns || !send_request(fd, ECHO, 0)) fail("the far end could not be asked");
  memset(out, 'p', sizeof out);
  for (int i = -warm; i < options.count; i++) {
    if (i == 0) sample_cpu(&before);
    uint64_t began = now_ns();
    if (i > 0 && began > end) break;
    if (!write_all(fd, out, (size_t)options.size) || !read_exactly(fd, in, (size_t)options.size)) fail("a round trip");
    if (i >= 0) ns[done++] = now_ns() - began;
  }
  sample_cpu(&after);
  printf("{\"size\":%d,", options.size);
  print_latencies("us", ns, done);
  printf(",");
  print_cpu(&before, &after);
  printf("}\n");
  free(ns);
  return 0;
}

/* Sizes of writes: one byte, a cell of Tor, about a frame of obfs4, and more. */
static const size_t sizes[] = {1, 13, 514, 1427, 1428, 1448, 4096, 16384, 65536};

static uint8_t pattern[PERIOD];

/* `count` bytes of the pattern from `offset` on, into `bytes`. */
static void copy_pattern(uint8_t *bytes, uint64_t offset, size_t count) {
  for (size_t i = 0; i < count; i++) bytes[i] = pattern[(offset + i) % PERIOD];
}

/* Compares with the pattern; says where the first difference is. */
static void compare(const uint8_t *bytes, uint64_t offset, size_t count, const char *what) {
  for (size_t i = 0; i < count; i++)
    if (bytes[i] != pattern[(offset + i) % PERIOD]) {
      fprintf(stderr, "loadgen: %s: byte %llu is not the one that was sent\n", what, (unsigned long long)(offset + i));
      exit(4);
    }
}

/* The far end counts and hashes what it took; its sums must be those of what was sent. */
static uint64_t transfer_up(int fd, uint64_t bytes) {
  static uint8_t chunk[65536];
  uint64_t hash = HASH_START, sums[2] = {0, 0};
  if (!send_request(fd, TAKE, bytes)) fail("the far end could not be asked to take");
  for (uint64_t done = 0, round = 0; done < bytes; round++) {
    size_t size = sizes[round % (sizeof sizes / sizeof *sizes)];
    if (size > bytes - done) size = bytes - done;
    copy_pattern(chunk, done, size);
    if (!write_all(fd, chunk, size)) fail("up");
    hash = hash_bytes(hash, chunk, size);
    done += size;
  }
  if (!read_exactly(fd, sums, sizeof sums)) fail("up: no sums came back");
  if (sums[0] != bytes || sums[1] != hash) {
    fprintf(stderr, "loadgen: up: %llu bytes arrived of %llu, or others than were sent\n", (unsigned long long)sums[0],
            (unsigned long long)bytes);
    exit(4);
  }
  return hash;
}

static void transfer_down(int fd, uint64_t bytes) {
  static uint8_t chunk[65536];
  if (!send_request(fd, FETCH, bytes)) fail("the far end could not be asked to give");
  for (uint64_t done = 0; done < bytes;) {
    ssize_t got = read(fd, chunk, bytes - done < sizeof chunk ? bytes - done : sizeof chunk);
    if (got <= 0) fail("down");
    compare(chunk, done, (size_t)got, "down");
    done += (uint64_t)got;
  }
}

/* Both ways at once. */
static void transfer_both(int fd, uint64_t bytes) {
  static uint8_t out[65536], in[65536];
  uint64_t sent = 0, received = 0, round = 0, end = now_ns() + 60000000000ull;
  if (!send_request(fd, ECHO, bytes)) fail("the far end could not be asked to echo");
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  while (received < bytes) {
    struct pollfd ready = {.fd = fd, .events = (short)(POLLIN | (sent < bytes ? POLLOUT : 0))};
    if (poll(&ready, 1, 1000) < 0 || now_ns() > end) fail("echo: too slow");
    if (ready.revents & POLLOUT) {
      size_t size = sizes[round++ % (sizeof sizes / sizeof *sizes)];
      if (size > bytes - sent) size = bytes - sent;
      copy_pattern(out, sent, size);
      ssize_t wrote = send(fd, out, size, MSG_NOSIGNAL);
      if (wrote < 0 && errno != EAGAIN) fail("echo");
      if (wrote > 0) sent += (uint64_t)wrote;
    }
    if (!(ready.revents & (POLLIN | POLLHUP | POLLERR))) continue;
    ssize_t got = read(fd, in, sizeof in);
    if (got == 0 || (got < 0 && errno != EAGAIN)) fail("echo: the connection ended");
    if (got <= 0) continue;
    compare(in, received, (size_t)got, "echo");
    received += (uint64_t)got;
  }
  make_blocking(fd);
}

int run_transfer(void) {
  int fd = open_one();
  fill_pattern(pattern);
  uint64_t hash = transfer_up(fd, options.bytes);
  transfer_down(fd, options.bytes);
  transfer_both(fd, options.bytes);
  printf("{\"up\":%llu,\"down\":%llu,\"echoed\":%llu,\"hash\":\"%016llx\"}\n", (unsigned long long)options.bytes,
         (unsigned long long)options.bytes, (unsigned long long)options.bytes, (unsigned long long)hash);
  return 0;
}
