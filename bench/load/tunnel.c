/*
 * One connection through the PT client, or straight to the far end where --socks is missing:
 *
 *     connect ── hello ── [user name and password: the arguments] ── CONNECT ── ECHO of one byte ── open
 *
 * Open means that a byte went to the far end and came back: the transport's handshake is over on both sides.
 */
#include "loadgen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CONNECTING, HELLO, AUTH, CONNECT, ADDRESS, PROBE };

static struct {
  struct sockaddr_in first; /* where to connect */
  uint8_t hello[3], auth[3 + 255 + 255], connect[10];
  int auth_length; /* 0: no arguments, no authentication */
} socks;

static struct sockaddr_in loopback(const char *text) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  char host[32] = "";
  const char *colon = strrchr(text, ':');
  errno = EINVAL;
  if (!colon || (size_t)(colon - text) >= sizeof host) fail("an address of the form 127.0.0.1:port is needed");
  memcpy(host, text, (size_t)(colon - text));
  int port = 0;
  for (const char *c = colon + 1; *c >= '0' && *c <= '9' && port < 65536; c++) port = port * 10 + *c - '0';
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || port < 1 || port > 65535) fail(text);
  errno = EPERM;
  if (ntohl(address.sin_addr.s_addr) >> 24 != 127) fail("an address off the loopback");
  address.sin_port = htons((uint16_t)port);
  return address;
}

/* Reads the options once; the messages are the same for every connection. */
void prepare_opening(void) {
  struct sockaddr_in to = loopback(options.to);
  socks.first = *options.socks ? loopback(options.socks) : to;
  size_t length = strlen(options.args);
  errno = EINVAL;
  if (length > 510) fail("--args is longer than user name and password can carry");
  memcpy(socks.hello, (uint8_t[]){5, 1, length ? 2 : 0}, 3);
  if (length) { /* the user name takes 255 bytes, the password the rest, or one NUL, as it cannot be empty */
    size_t user = length > 255 ? 255 : length, password = length > 255 ? length - 255 : 1;
    uint8_t *out = socks.auth;
    *out++ = 1;
    *out++ = (uint8_t)user;
    memcpy(out, options.args, user);
    out += user;
    *out++ = (uint8_t)password;
    memcpy(out, length > 255 ? options.args + 255 : "", password);
    socks.auth_length = (int)(out + password - socks.auth);
  }
  memcpy(socks.connect, (uint8_t[]){5, 1, 0, 1}, 4);
  memcpy(socks.connect + 4, &to.sin_addr, 4);
  memcpy(socks.connect + 8, &to.sin_port, 2);
}

bool begin_opening(struct opening *opening) {
  int one = 1;
  *opening = (struct opening){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (opening->fd < 0) return false;
  opening->began = now_ns();
  setsockopt(opening->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (options.buffer) { /* before connect(), as the window scale is agreed on there */
    setsockopt(opening->fd, SOL_SOCKET, SO_RCVBUF, &options.buffer, sizeof options.buffer);
    setsockopt(opening->fd, SOL_SOCKET, SO_SNDBUF, &options.buffer, sizeof options.buffer);
  }
  if (connect(opening->fd, (struct sockaddr *)&socks.first, sizeof socks.first) == 0 || errno == EINPROGRESS) return true;
  close(opening->fd);
  return false;
}

/* Sends what begins a step; a new connection always has room for so little. */
static enum verdict enter(struct opening *opening, int step, const void *bytes, int count, int need) {
  if (send(opening->fd, bytes, (size_t)count, MSG_NOSIGNAL) != count) return BROKEN;
  opening->step = step;
  opening->got = 0;
  opening->need = need;
  return MORE;
}

static enum verdict probe(struct opening *opening) {
  uint8_t request[REQUEST + 1];
  format_request(request, ECHO, 1);
  request[REQUEST] = 'x';
  return enter(opening, PROBE, request, sizeof request, 1);
}

/* A whole answer is in `in`. */
static enum verdict advance(struct opening *opening) {
  const uint8_t *in = opening->in;
  if (opening->step == PROBE) return in[0] == 'x' ? OPEN : BROKEN;
  if (opening->step == ADDRESS) return probe(opening);
  if (opening->step == HELLO && in[1] != socks.hello[2]) return BROKEN;
  if (opening->step == HELLO && socks.auth_length) return enter(opening, AUTH, socks.auth, socks.auth_length, 2);
  if (opening->step != HELLO && in[1] != 0) return BROKEN;
  if (opening->step != CONNECT) return enter(opening, CONNECT, socks.connect, sizeof socks.connect, 5);
  opening->step = ADDRESS; /* 5 bytes are here: VER REP RSV ATYP and one of the address */
  opening->need = 4 + (in[3] == 1 ? 4 : in[3] == 4 ? 16 : 1 + in[4]) + 2;
  return MORE;
}

/* To be called when the socket is ready: for writing at first, then for reading. */
enum verdict continue_opening(struct opening *opening) {
  if (opening->step == CONNECTING) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(opening->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) return BROKEN;
    return *options.socks ? enter(opening, HELLO, socks.hello, sizeof socks.hello, 2) : probe(opening);
  }
  ssize_t count = read(opening->fd, opening->in + opening->got, (size_t)(opening->need - opening->got));
  if (count < 0 && errno == EAGAIN) return MORE;
  if (count <= 0) return BROKEN;
  opening->got += (int)count;
  return opening->got < opening->need ? MORE : advance(opening);
}

void format_request(uint8_t request[REQUEST], char verb, uint64_t count) {
  memset(request, 0, REQUEST);
  request[0] = (uint8_t)verb;
  for (int i = 0; i < 8; i++) request[8 + i] = (uint8_t)(count >> (8 * i));
}

bool send_request(int fd, char verb, uint64_t count) {
  uint8_t request[REQUEST];
  format_request(request, verb, count);
  return send(fd, request, REQUEST, MSG_NOSIGNAL) == REQUEST;
}

/* For commands that hold one connection and wait for it; no wait is longer than 20 s. */
void make_blocking(int fd) {
  struct timeval limit = {20, 0};
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool read_exactly(int fd, void *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t got = read(fd, (uint8_t *)bytes + done, count - done);
    if (got <= 0) return false;
    done += (size_t)got;
  }
  return true;
}

bool write_all(int fd, const void *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t sent = send(fd, (const uint8_t *)bytes + done, count - done, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += (size_t)sent;
  }
  return true;
}
