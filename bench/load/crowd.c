/* Many connections: opened `flight` at a time, timed one by one, closed at once or kept. */
#include "loadgen.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 256 };

struct state {
  struct crowd *crowd;
  struct opening *openings;
  int epoll, on_their_way;
  long opened; /* warm-up included */
  bool counting;
  uint64_t began, counts_from;
};

/* Each slot has one connection on its way, until there is nothing more to open. */
static void fill_slot(struct state *state, int slot) {
  struct crowd *crowd = state->crowd;
  struct opening *opening = &state->openings[slot];
  opening->fd = -1;
  if (state->counting && crowd->done + state->on_their_way >= crowd->count) return;
  if (!begin_opening(opening)) {
    crowd->failed++;
    opening->fd = -1;
    return;
  }
  state->on_their_way++;
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)slot};
  epoll_ctl(state->epoll, EPOLL_CTL_ADD, opening->fd, &event);
}

static void finish(struct state *state, int slot, bool ok) {
  struct crowd *crowd = state->crowd;
  struct opening *opening = &state->openings[slot];
  state->on_their_way--;
  if (!ok) {
    crowd->failed++;
    close(opening->fd);
    return;
  }
  state->opened++;
  bool counts = state->counting && crowd->done < crowd->count;
  if (counts) crowd->ns[crowd->done] = now_ns() - opening->began;
  if (counts && crowd->keep) {
    crowd->keep[crowd->done] = opening->fd;
    epoll_ctl(state->epoll, EPOLL_CTL_DEL, opening->fd, NULL);
  } else {
    close(opening->fd);
  }
  if (counts) crowd->done++;
}

static void serve(struct state *state, int slot) {
  struct opening *opening = &state->openings[slot];
  bool was_connecting = opening->need == 0;
  enum verdict verdict = continue_opening(opening);
  if (verdict != MORE) {
    finish(state, slot, verdict == OPEN);
    fill_slot(state, slot);
  } else if (was_connecting) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)slot};
    epoll_ctl(state->epoll, EPOLL_CTL_MOD, opening->fd, &event);
  }
}

static bool is_over(struct state *state, uint64_t now) {
  struct crowd *crowd = state->crowd;
  if (!state->counting && state->opened >= crowd->warm_count && now - state->began >= (uint64_t)(crowd->warm * 1e9)) {
    state->counting = true;
    state->counts_from = now;
    sample_cpu(&crowd->before);
  }
  if (now - state->began > (uint64_t)((crowd->warm + crowd->seconds + 20) * 1e9)) return true;
  if (crowd->failed > 100 || (state->on_their_way == 0 && crowd->failed > 0)) return true;
  return state->counting &&
         (crowd->done >= crowd->count || now - state->counts_from >= (uint64_t)(crowd->seconds * 1e9));
}

void open_crowd(struct crowd *crowd) {
  struct state state = {.crowd = crowd, .epoll = epoll_create1(EPOLL_CLOEXEC), .began = now_ns()};
  struct epoll_event events[EVENTS];
  state.openings = calloc((size_t)crowd->flight, sizeof *state.openings);
  crowd->ns = calloc((size_t)crowd->count, sizeof *crowd->ns);
  if (state.epoll < 0 || !state.openings || !crowd->ns) fail("no room for the connections");
  prepare_opening();
  is_over(&state, state.began);
  for (int slot = 0; slot < crowd->flight; slot++) fill_slot(&state, slot);
  while (!is_over(&state, now_ns())) {
    int ready = epoll_wait(state.epoll, events, EVENTS, 50);
    for (int i = 0; i < ready; i++) serve(&state, (int)events[i].data.u32);
  }
  sample_cpu(&crowd->after);
  crowd->elapsed = state.counting ? (double)(now_ns() - state.counts_from) / 1e9 : 0;
  for (int slot = 0; slot < crowd->flight; slot++)
    if (state.openings[slot].fd >= 0) close(state.openings[slot].fd);
  close(state.epoll);
  free(state.openings);
}

/* Opens `count` connections for a command that goes on with them; ends the program where one fails. */
int open_all(int *fds, int count) {
  struct crowd crowd = {.flight = 32, .count = count, .seconds = 60, .keep = fds};
  open_crowd(&crowd);
  errno = 0;
  if (crowd.done < count) fail("a connection could not be opened");
  free(crowd.ns);
  return 0;
}

int run_connect(void) {
  /* Timed or counted: 32 in flight warm up by time, one at a time by count. */
  struct crowd crowd = {.flight = options.flight, .count = options.count, .seconds = options.seconds,
                        .warm = options.warm, .warm_count = options.warm == 0 ? options.count / 20 + 5 : 0};
  open_crowd(&crowd);
  printf("{\"seconds\":%.6f,\"done\":%ld,\"failed\":%ld,", crowd.elapsed, crowd.done, crowd.failed);
  print_latencies("us", crowd.ns, crowd.done);
  printf(",");
  print_cpu(&crowd.before, &crowd.after);
  printf("}\n");
  free(crowd.ns);
  return 0;
}

/* A line of JSON once all are open. A line on stdin: one window with all of them at work. EOF: the end. */
int run_hold(void) {
  int *fds = calloc((size_t)options.count, sizeof *fds);
  if (!fds) fail("no room for the connections");
  struct crowd crowd = {.flight = options.flight, .count = options.count, .seconds = 100, .keep = fds};
  open_crowd(&crowd);
  printf("{\"seconds\":%.6f,\"done\":%ld,\"failed\":%ld,", crowd.elapsed, crowd.done, crowd.failed);
  print_latencies("us", crowd.ns, crowd.done);
  printf(",");
  print_cpu(&crowd.before, &crowd.after);
  printf("}\n");
  fflush(stdout);
  free(crowd.ns);
  char line;
  if (crowd.done > 0 && read(0, &line, 1) == 1) {
    stream_window(fds, (int)crowd.done, false);
    fflush(stdout);
    while (read(0, &line, 1) == 1) continue;
  }
  free(fds);
  return 0;
}
