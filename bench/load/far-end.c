/* The application behind the PT server: does what the requests of loadgen.h say, on 127.0.0.1, until stdin closes. */
#include "loadgen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512 };

struct guest {
  int fd;
  uint8_t request[REQUEST];
  int request_length;       /* shorter than REQUEST: the next request is still coming */
  uint64_t count, done;     /* of the request at work */
  uint64_t told, hash;
  uint8_t *backlog;         /* answers that the socket did not take; nothing is read while there are any */
  size_t backlog_length;
  uint32_t events;
  bool gone;
};

static int epoll;
static uint8_t pattern[BUFFER + PERIOD]; /* repeated, so that BUFFER bytes follow wherever one begins */
static uint8_t buffer[BUFFER];

static void watch(struct guest *guest, uint32_t events) {
  if (events == guest->events) return;
  struct epoll_event event = {.events = events, .data.ptr = guest};
  epoll_ctl(epoll, guest->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, guest->fd, &event);
  guest->events = events;
}

static void answer(struct guest *guest, const uint8_t *bytes, size_t count) {
  ssize_t sent = guest->backlog_length ? 0 : send(guest->fd, bytes, count, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) guest->gone = true;
  if (sent < 0) sent = 0;
  size_t rest = count - (size_t)sent;
  if (rest == 0 || guest->gone) return;
  guest->backlog = realloc(guest->backlog, guest->backlog_length + rest);
  if (!guest->backlog) fail("no room for an answer");
  memcpy(guest->backlog + guest->backlog_length, bytes + sent, rest);
  guest->backlog_length += rest;
}

static char verb(const struct guest *guest) {
  return guest->request_length < REQUEST ? 0 : (char)guest->request[0];
}

static void next_request(struct guest *guest) {
  guest->request_length = 0;
}

static size_t read_request(struct guest *guest, const uint8_t *bytes, size_t count) {
  size_t part = (size_t)(REQUEST - guest->request_length);
  if (part > count) part = count;
  memcpy(guest->request + guest->request_length, bytes, part);
  guest->request_length += (int)part;
  if (guest->request_length < REQUEST) return part;
  guest->count = guest->done = guest->told = 0;
  guest->hash = HASH_START;
  for (int i = 0; i < 8; i++) guest->count |= (uint64_t)guest->request[8 + i] << (8 * i);
  if (!strchr("ESGTF", verb(guest))) guest->gone = true;
  return part;
}

/* Uses some of `bytes` for the request at work; how many. */
static size_t consume(struct guest *guest, const uint8_t *bytes, size_t count) {
  char doing = verb(guest);
  if (doing == 0) return read_request(guest, bytes, count);
  if (doing == GIVE || doing == FETCH) {
    guest->gone = true; /* nobody may talk while being served */
    return count;
  }
  if (doing != SINK && guest->count && count > guest->count - guest->done) count = guest->count - guest->done;
  guest->done += count;
  if (doing == ECHO) answer(guest, bytes, count);
  if (doing == TAKE) guest->hash = hash_bytes(guest->hash, bytes, count);
  if (doing == SINK && guest->count && guest->done - guest->told >= guest->count) {
    guest->told = guest->done;
    answer(guest, (const uint8_t *)&guest->done, 8);
  }
  if (doing == SINK || guest->done < guest->count || guest->count == 0) return count;
  if (doing == TAKE) answer(guest, (const uint8_t *)(uint64_t[]){guest->done, guest->hash}, 16);
  next_request(guest);
  return count;
}

static void receive(struct guest *guest) {
  ssize_t count = read(guest->fd, buffer, sizeof buffer);
  if (count == 0 || (count < 0 && errno != EAGAIN)) guest->gone = true;
  for (ssize_t used = 0; used < count && !guest->gone;)
    used += (ssize_t)consume(guest, buffer + used, (size_t)(count - used));
}

static void flush(struct guest *guest) {
  ssize_t sent = send(guest->fd, guest->backlog, guest->backlog_length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) guest->gone = true;
  if (sent <= 0) return;
  guest->backlog_length -= (size_t)sent;
  memmove(guest->backlog, guest->backlog + sent, guest->backlog_length);
  if (guest->backlog_length) return;
  free(guest->backlog);
  guest->backlog = NULL;
}

/* The next bytes of the pattern: without end, or until the count is full. */
static void give(struct guest *guest) {
  size_t size = BUFFER;
  if (verb(guest) == FETCH && size > guest->count - guest->done) size = guest->count - guest->done;
  ssize_t sent = send(guest->fd, pattern + guest->done % PERIOD, size, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) guest->gone = true;
  if (sent > 0) guest->done += (uint64_t)sent;
  if (verb(guest) == FETCH && guest->done == guest->count) next_request(guest);
}

static void serve(struct guest *guest, uint32_t events) {
  if (events & EPOLLERR) guest->gone = true;
  if (!guest->gone && events & EPOLLOUT) {
    if (guest->backlog_length) flush(guest);
    else if (verb(guest) == GIVE || verb(guest) == FETCH) give(guest);
  }
  if (!guest->gone && events & (EPOLLIN | EPOLLHUP) && !guest->backlog_length) receive(guest);
  if (guest->gone) {
    close(guest->fd); /* which takes it out of epoll */
    free(guest->backlog);
    free(guest);
    return;
  }
  bool giving = verb(guest) == GIVE || verb(guest) == FETCH;
  watch(guest, guest->backlog_length ? EPOLLOUT : giving ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void welcome(int listener) {
  for (int i = 0, one = 1; i < 64; i++) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct guest *guest = calloc(1, sizeof *guest);
    if (!guest) fail("no room for a connection");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    guest->fd = fd;
    watch(guest, EPOLLIN);
  }
}

static int listen_on_loopback(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (options.buffer) { /* accepted sockets inherit it */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options.buffer, sizeof options.buffer);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options.buffer, sizeof options.buffer);
  }
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) fail("listen");
  getsockname(fd, (struct sockaddr *)&address, &length);
  printf("127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int run_far_end(void) {
  struct epoll_event events[EVENTS];
  int listener = listen_on_loopback();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  fill_pattern(pattern);
  for (size_t i = PERIOD; i < sizeof pattern; i++) pattern[i] = pattern[i - PERIOD];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &listener});
  epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr == &listener) welcome(listener);
      else if (events[i].data.ptr) serve(events[i].data.ptr, events[i].events);
      else if (read(STDIN_FILENO, buffer, 16) <= 0) return 0;
    }
  }
}
