/* What the parts of the load generator share. Its commands and their output are described in loadgen.c. */
#ifndef LOADGEN_H
#define LOADGEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a client asks of the far end, as often as it likes on one connection:
 *
 *     +--------+-----------------+---------------------------+
 *     | verb 1 | zeros 7         | count 8, little-endian    |
 *     +--------+-----------------+---------------------------+
 */
enum {
  REQUEST = 16,
  ECHO = 'E', /* sends `count` bytes back; 0: without end */
  SINK = 'S', /* swallows bytes without end and says how many, in 8 bytes, every `count` */
  GIVE = 'G', /* sends bytes without end */
  TAKE = 'T', /* swallows `count` bytes, then says in 8 + 8 bytes how many and their hash */
  FETCH = 'F', /* sends the first `count` bytes of the pattern */
};

enum {
  BUFFER = 256 * 1024,
  PERIOD = 65521, /* of the pattern; a prime, so that it falls in step with no frame, cell or buffer */
  MAX_PIDS = 8,
  MAX_CONNECTIONS = 100000,
};

struct options {
  const char *to, *socks, *args, *way, *marker;
  int count, flight, streams, size, chunk, buffer, cpu, files;
  double seconds, warm;
  uint64_t bytes;
  pid_t pids[MAX_PIDS];
  int pid_count;
  char **command;
};
extern struct options options;

/* system.c */
uint64_t now_ns(void);
_Noreturn void fail(const char *what);
struct cpu {
  double seconds[MAX_PIDS];
};
void sample_cpu(struct cpu *cpu);
void print_cpu(const struct cpu *before, const struct cpu *after);
void print_latencies(const char *name, uint64_t *ns, long count);
int compare_u64(const void *a, const void *b);
void fill_pattern(uint8_t pattern[PERIOD]);
uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, size_t count);
#define HASH_START 0xcbf29ce484222325ull

/* tunnel.c */
struct opening {
  int fd, step;
  int got, need;
  uint64_t began;
  uint8_t in[300];
};
enum verdict { MORE, OPEN, BROKEN };
void prepare_opening(void);
bool begin_opening(struct opening *opening);
enum verdict continue_opening(struct opening *opening);
void format_request(uint8_t request[REQUEST], char verb, uint64_t count);
bool send_request(int fd, char verb, uint64_t count);
bool read_exactly(int fd, void *bytes, size_t count);
bool write_all(int fd, const void *bytes, size_t count);
void make_blocking(int fd);

/* crowd.c */
struct crowd {
  int flight;       /* how many may be on their way at a time */
  long count;       /* ends after so many … */
  double seconds;   /* … or after so long, whichever comes first */
  long warm_count;  /* what is opened before the first that counts */
  double warm;      /* and for how long */
  int *keep;        /* open ones go here; NULL: each is closed at once */
  uint64_t *ns;     /* `count` latencies, from connect() to the first echoed byte */
  long done, failed;
  double elapsed;
  struct cpu before, after;
};
void open_crowd(struct crowd *crowd);
int open_all(int *fds, int count);

/* One command each. They return the exit status. */
int run_far_end(void);
int run_bulk(void);
int run_connect(void);
int run_ping(void);
int run_hold(void);
int run_transfer(void);
int run_start(void);
int run_watch(void);
int run_exec(void);
void stream_window(const int *fds, int count, bool up);
#endif
