/*
 * loadgen: the load and the far end of the benchmark, as a program of its own so that it is never the bottleneck.
 *
 *     loadgen far-end                                             the application behind the PT server
 *     loadgen bulk --way up|down --streams N --seconds T          throughput in a timed window
 *     loadgen connect --flight K --count N --seconds T            set-up: SOCKS, handshake, first echoed byte
 *     loadgen ping --size B --count N                             round trips on one connection
 *     loadgen hold --count N --flight K                           opens N; a line on stdin: throughput; EOF: the end
 *     loadgen transfer --bytes N                                  N bytes up, N down, N echoed: all counted and compared
 *     loadgen start --count N -- COMMAND …                        from fork to METHODS DONE
 *     loadgen watch --seconds T                                   CPU time of --pids, nothing else
 *     loadgen exec --cpu C --files N -- COMMAND …                 becomes COMMAND, pinned, ending with its parent
 *
 *     --to ADDRESS    the far end, or the PT server that leads to it      --pids A,B  whose CPU time is told
 *     --socks ADDRESS the PT client      --args TEXT  its arguments       --warm T    seconds before a window
 *
 * Each command is bounded in count and time and prints one line of JSON; far-end prints its address, and hold prints a
 * line when all are open and one after each window. Addresses off the loopback are refused.
 */
#include "loadgen.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {
    .to = "", .socks = "", .args = "", .way = "down", .marker = "METHODS DONE",
    .count = 1, .flight = 1, .streams = 1, .size = 1, .chunk = 64 * 1024, .cpu = -1,
    .seconds = 2, .warm = 0.5,
};

static const struct {
  const char *name;
  int (*run)(void);
} commands[] = {
    {"far-end", run_far_end}, {"bulk", run_bulk},   {"connect", run_connect}, {"ping", run_ping},
    {"hold", run_hold},       {"transfer", run_transfer}, {"start", run_start},     {"watch", run_watch},
    {"exec", run_exec},
};

static const struct {
  const char *name;
  int *value;
  long least, most;
} numbers[] = {
    {"--count", &options.count, 1, 1000000},
    {"--flight", &options.flight, 1, 4096},
    {"--streams", &options.streams, 1, MAX_CONNECTIONS},
    {"--size", &options.size, 1, 65536},
    {"--chunk", &options.chunk, 1, BUFFER},
    {"--buffer", &options.buffer, 0, 1 << 24},
    {"--cpu", &options.cpu, -1, 1023},
    {"--files", &options.files, 0, 1 << 24},
};

static const struct {
  const char *name;
  const char **value;
} texts[] = {
    {"--to", &options.to},   {"--socks", &options.socks},   {"--args", &options.args},
    {"--way", &options.way}, {"--marker", &options.marker},
};

static _Noreturn void misused(const char *what, const char *name) {
  fprintf(stderr, "loadgen: %s: %s\n", what, name);
  exit(2);
}

static double number(const char *name, const char *text, double least, double most) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !(value >= least && value <= most)) misused("no number that fits", name);
  return value;
}

static void read_pids(char *text) {
  for (char *one = strtok(text, ","); one; one = strtok(NULL, ",")) {
    if (options.pid_count == MAX_PIDS) misused("too many", "--pids");
    options.pids[options.pid_count++] = (pid_t)number("--pids", one, 1, 1 << 30);
  }
}

static void read_option(const char *name, char *value) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (!strcmp(name, numbers[i].name)) {
      *numbers[i].value = (int)number(name, value, numbers[i].least, numbers[i].most);
      return;
    }
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (!strcmp(name, texts[i].name)) {
      *texts[i].value = value;
      return;
    }
  if (!strcmp(name, "--seconds")) options.seconds = number(name, value, 0.01, 120);
  else if (!strcmp(name, "--warm")) options.warm = number(name, value, 0, 60);
  else if (!strcmp(name, "--bytes")) options.bytes = (uint64_t)number(name, value, 0, 1e12);
  else if (!strcmp(name, "--pids")) read_pids(value);
  else misused("unknown option", name);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  for (int i = 2; i < argc; i += 2) {
    if (!strcmp(argv[i], "--")) {
      options.command = argv + i + 1;
      break;
    }
    if (i + 1 == argc) misused("a value is missing", argv[i]);
    read_option(argv[i], argv[i + 1]);
  }
  for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
    if (!strcmp(argv[1], commands[i].name)) return commands[i].run();
  misused("unknown command", argc > 1 ? argv[1] : "none");
}
