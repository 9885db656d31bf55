/*
 * relay-pt: the floor. A PT, client or server as its environment says, that changes no byte: one thread, epoll, one read
 * and one write of up to 64 KiB. What it costs is what two hops over the loopback cost with no runtime and no cryptography.
 *
 *     stdout   VERSION 1 · CMETHOD name socks5 127.0.0.1:port · CMETHODS DONE, or SMETHOD …
 *     stdin    closed: the end
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, BUFFER = 64 * 1024 };

/* One of the two sockets of a connection. What it could not write waits in `backlog`, and the other is not read. */
struct side {
  int fd;
  struct side *other;
  uint8_t *backlog;
  size_t start, end;
  uint32_t events;
  bool connecting, finished, shut; /* finished: no more comes from it; shut: no more goes to it */
  bool dead;                       /* its connection has ended; it is freed once the events at hand are served */
};

static int epoll;
static bool is_server;
static struct sockaddr_in orport;
static uint8_t buffer[BUFFER];
static struct side *graveyard[4 * EVENTS];
static int graves;

static void watch(struct side *side) {
  bool wants_out = side->connecting || side->end > side->start;
  bool wants_in = !side->connecting && !side->finished && !(side->other && side->other->connecting) &&
                  !(side->other && side->other->end > side->other->start);
  uint32_t events = (wants_out ? EPOLLOUT : 0) | (wants_in ? EPOLLIN : 0);
  if (events == side->events) return;
  struct epoll_event event = {.events = events, .data.ptr = side};
  epoll_ctl(epoll, EPOLL_CTL_MOD, side->fd, &event);
  side->events = events;
}

static struct side *new_side(int fd) {
  int one = 1;
  struct side *side = calloc(1, sizeof *side);
  if (!side) exit(1);
  side->fd = fd;
  side->events = EPOLLIN;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = side});
  return side;
}

static void end_connection(struct side *side) {
  for (int i = 0; i < 2 && side; i++, side = side->other) {
    if (side->dead) return;
    side->dead = true;
    close(side->fd);
    graveyard[graves++] = side;
  }
}

static bool write_side(struct side *side, const uint8_t *bytes, size_t count) {
  ssize_t sent = send(side->fd, bytes, count, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  if (sent < 0) sent = 0;
  if ((size_t)sent == count) return true;
  if (!side->backlog && !(side->backlog = malloc(BUFFER))) return false;
  side->start = 0;
  side->end = count - (size_t)sent;
  memcpy(side->backlog, bytes + sent, side->end);
  return true;
}

static bool flush(struct side *side) {
  ssize_t sent = send(side->fd, side->backlog + side->start, side->end - side->start, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  side->start += (size_t)sent;
  if (side->start < side->end) return true;
  free(side->backlog);
  side->backlog = NULL;
  side->start = side->end = 0;
  return true;
}

static bool connect_other(struct side *side, const struct sockaddr_in *address) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  if (connect(fd, (const struct sockaddr *)address, sizeof *address) && errno != EINPROGRESS) {
    close(fd);
    return false;
  }
  struct side *other = new_side(fd);
  other->connecting = true;
  other->other = side;
  side->other = other;
  return true;
}

/* The SOCKS 5 messages of the client, one each time. They come whole from anyone who waits for the answers. */
static bool serve_socks(struct side *side) {
  uint8_t in[600];
  ssize_t count = read(side->fd, in, sizeof in);
  if (count < 3) return false;
  if (in[0] == 1) return send(side->fd, "\1\0", 2, MSG_NOSIGNAL) == 2;
  if (in[0] != 5) return false;
  if (count == 2 + in[1]) return send(side->fd, (uint8_t[]){5, memchr(in + 2, 2, in[1]) ? 2 : 0}, 2, MSG_NOSIGNAL) == 2;
  if (count != 10 || in[1] != 1 || in[3] != 1) return false;
  struct sockaddr_in address = {.sin_family = AF_INET};
  memcpy(&address.sin_addr, in + 4, 4);
  memcpy(&address.sin_port, in + 8, 2);
  return connect_other(side, &address);
}

static bool finish_connect(struct side *side) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  side->connecting = false;
  if (error) return false;
  return is_server || send(side->other->fd, "\5\0\0\1\0\0\0\0\0\0", 10, MSG_NOSIGNAL) == 10;
}

static bool relay(struct side *side) {
  ssize_t count = read(side->fd, buffer, sizeof buffer);
  if (count < 0) return errno == EAGAIN;
  if (count == 0) side->finished = true;
  return count == 0 || write_side(side->other, buffer, (size_t)count);
}

/* The end of one direction goes on to the other socket once all before it is written. */
static bool pass_end_on(struct side *from, struct side *to) {
  if (from->finished && to->end == to->start && !to->shut && !to->connecting) {
    to->shut = true;
    shutdown(to->fd, SHUT_WR);
  }
  return !(from->finished && from->shut);
}

static void serve(struct side *side, uint32_t events) {
  if (side->dead) return;
  bool ok = true;
  if (side->connecting) ok = finish_connect(side);
  else {
    if (events & EPOLLERR) ok = false;
    if (ok && events & EPOLLOUT && side->end > side->start) ok = flush(side);
    if (ok && events & (EPOLLIN | EPOLLHUP) && side->events & EPOLLIN) ok = side->other ? relay(side) : serve_socks(side);
  }
  if (ok && side->other) ok = pass_end_on(side, side->other) && pass_end_on(side->other, side);
  if (!ok) return end_connection(side);
  watch(side);
  if (side->other) watch(side->other);
}

static void welcome(int listener) {
  for (int i = 0; i < 64; i++) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct side *side = new_side(fd);
    if (is_server && !connect_other(side, &orport)) end_connection(side);
    else if (is_server) watch(side), watch(side->other);
  }
}

static void bury_the_dead(void) {
  while (graves > 0) {
    free(graveyard[--graves]->backlog);
    free(graveyard[graves]);
  }
}

static int listen_and_say(void) {
  const char *names = getenv("TOR_PT_SERVER_TRANSPORTS"), *to = getenv("TOR_PT_ORPORT"), *colon = to ? strrchr(to, ':') : 0;
  is_server = names != NULL;
  if (!names) names = getenv("TOR_PT_CLIENT_TRANSPORTS");
  char host[32] = "";
  if (colon && colon - to < (long)sizeof host) memcpy(host, to, (size_t)(colon - to));
  orport = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(colon ? (uint16_t)atoi(colon + 1) : 0)};
  if (!names || (is_server && inet_pton(AF_INET, host, &orport.sin_addr) != 1)) {
    printf("ENV-ERROR the transports, or a server's TOR_PT_ORPORT, are missing\n");
    exit(1);
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) exit(1);
  getsockname(fd, (struct sockaddr *)&address, &length);
  char kind = is_server ? 'S' : 'C';
  printf("VERSION 1\n%cMETHOD %.*s %s127.0.0.1:%d\n%cMETHODS DONE\n", kind, (int)strcspn(names, ","), names,
         is_server ? "" : "socks5 ", ntohs(address.sin_port), kind);
  fflush(stdout);
  return fd;
}

int main(void) {
  struct epoll_event events[EVENTS];
  signal(SIGPIPE, SIG_IGN);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_and_say();
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &listener});
  epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr == &listener) welcome(listener);
      else if (events[i].data.ptr) serve(events[i].data.ptr, events[i].events);
      else if (read(STDIN_FILENO, buffer, 64) <= 0) return 0;
    }
    bury_the_dead();
  }
}
