/*
 * Throughput: all streams at work, `warm` seconds unmeasured, then a window of `seconds`.
 *
 *     down    bytes that arrived here in the window
 *     up      bytes of which the far end has said that they arrived: what only fills buffers on the way does not count
 */
#include "loadgen.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512 };

struct stream {
  int fd;
  bool dead;
  int part; /* bytes of an acknowledgement that is not complete */
  uint8_t acknowledged[8];
  uint64_t total, at_start;
};

struct window {
  struct stream *streams;
  int count, alive, epoll;
  bool up;
  double seconds;
  struct cpu before, after;
};

static uint8_t buffer[BUFFER];

static void bury(struct window *window, struct stream *stream) {
  epoll_ctl(window->epoll, EPOLL_CTL_DEL, stream->fd, NULL);
  stream->dead = true;
  window->alive--;
}

/* The far end sends its count, little-endian; the last whole one holds. */
static void read_acknowledgements(struct stream *stream, const uint8_t *bytes, ssize_t count) {
  for (ssize_t i = 0; i < count; i++) {
    stream->acknowledged[stream->part++] = bytes[i];
    if (stream->part < 8) continue;
    stream->part = 0;
    stream->total = 0;
    for (int k = 0; k < 8; k++) stream->total |= (uint64_t)stream->acknowledged[k] << (8 * k);
  }
}

static void serve(struct window *window, struct stream *stream, uint32_t events) {
  static uint8_t payload[BUFFER];
  if (stream->dead) return;
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    ssize_t count = read(stream->fd, buffer, sizeof buffer);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return bury(window, stream);
    if (count > 0 && window->up) read_acknowledgements(stream, buffer, count);
    else if (count > 0) stream->total += (uint64_t)count;
  }
  if (events & EPOLLOUT && send(stream->fd, payload, (size_t)options.chunk, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
    bury(window, stream);
}

static void run_until(struct window *window, uint64_t end) {
  struct epoll_event events[EVENTS];
  for (uint64_t now; window->alive > 0 && (now = now_ns()) < end;) {
    int wait = (int)((end - now) / 1000000);
    int ready = epoll_wait(window->epoll, events, EVENTS, wait < 20 ? wait : 20);
    for (int i = 0; i < ready; i++) serve(window, &window->streams[events[i].data.u32], events[i].events);
  }
}

static void measure(struct window *window) {
  /* An acknowledgement every 256 KiB; with many streams more often, as each has fewer bytes in a window. */
  uint64_t step = window->count <= 8 ? 256 * 1024 : window->count <= 64 ? 64 * 1024 : 16 * 1024;
  for (int i = 0; i < window->count; i++) {
    struct stream *stream = &window->streams[i];
    struct epoll_event event = {.events = EPOLLIN | (window->up ? EPOLLOUT : 0), .data.u32 = (uint32_t)i};
    epoll_ctl(window->epoll, EPOLL_CTL_ADD, stream->fd, &event);
    if (!send_request(stream->fd, window->up ? SINK : GIVE, window->up ? step : 0)) bury(window, stream);
  }
  run_until(window, now_ns() + (uint64_t)(options.warm * 1e9));
  for (int i = 0; i < window->count; i++) window->streams[i].at_start = window->streams[i].total;
  sample_cpu(&window->before);
  uint64_t began = now_ns();
  run_until(window, began + (uint64_t)(options.seconds * 1e9));
  sample_cpu(&window->after);
  window->seconds = (double)(now_ns() - began) / 1e9;
}

/* Jain's index: 1 where all streams got the same, 1/n where one got all. */
static void print_window(const struct window *window) {
  uint64_t *each = calloc((size_t)window->count, sizeof *each);
  double sum = 0, squares = 0;
  if (!each) fail("no room for the figures");
  for (int i = 0; i < window->count; i++) {
    each[i] = window->streams[i].total - window->streams[i].at_start;
    sum += (double)each[i];
    squares += (double)each[i] * (double)each[i];
  }
  qsort(each, (size_t)window->count, sizeof *each, compare_u64);
  printf("{\"seconds\":%.6f,\"bytes\":%.0f,\"dead\":%d,", window->seconds, sum, window->count - window->alive);
  printf("\"streams\":{\"count\":%d,\"min\":%llu,\"median\":%llu,\"max\":%llu,\"jain\":%.4f},", window->count,
         (unsigned long long)each[0], (unsigned long long)each[window->count / 2],
         (unsigned long long)each[window->count - 1], squares > 0 ? sum * sum / (window->count * squares) : 0);
  print_cpu(&window->before, &window->after);
  printf("}\n");
  free(each);
}

/* One window over connections that are open, and its line of JSON. */
void stream_window(const int *fds, int count, bool up) {
  struct window window = {.streams = calloc((size_t)count, sizeof(struct stream)), .count = count, .alive = count,
                          .epoll = epoll_create1(EPOLL_CLOEXEC), .up = up};
  if (!window.streams || window.epoll < 0) fail("no room for the streams");
  for (int i = 0; i < count; i++) window.streams[i].fd = fds[i];
  measure(&window);
  print_window(&window);
  close(window.epoll);
  free(window.streams);
}

int run_bulk(void) {
  int *fds = calloc((size_t)options.streams, sizeof *fds);
  bool up = !strcmp(options.way, "up");
  if (!fds) fail("no room for the streams");
  open_all(fds, options.streams);
  stream_window(fds, options.streams, up);
  free(fds);
  return 0;
}
