/*
 * Bombs: each tries to use up what is not its own, up to a bound that is told with `most=`, so that it does no harm where nothing stops
 * it. Each says how far it came.
 */
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1L << 20)

static long most(const struct told *about) {
  const char *text = told(about, "most", 0);
  return text == NULL ? 0 : atol(text);
}

static int tell(const char *name, const struct outcome *outcome) {
  put_outcome(name, outcome);
  return finish();
}

static long *shared_counter(void) {
  long *counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counter == MAP_FAILED) exit(3);
  return counter;
}

static void rest_ms(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL); }

/* Each child makes children too, until none can be made; then all keep trying for as long as `hold-ms` says. */
static int fork_bomb(const struct told *about) {
  long limit = most(about), *made = shared_counter(), *refused = shared_counter(), hold = atol(told(about, "hold-ms", 0));
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pid_t first = getpid();
  for (;;) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 > hold) break;
    if (__atomic_load_n(made, __ATOMIC_RELAXED) >= limit) {
      rest_ms(10);
      continue;
    }
    pid_t child = fork();
    if (child > 0) __atomic_add_fetch(made, 1, __ATOMIC_RELAXED);
    if (child < 0) __atomic_add_fetch(refused, 1, __ATOMIC_RELAXED);
  }
  if (getpid() != first) _exit(0);
  signal(SIGTERM, SIG_IGN);
  struct outcome outcome = *made >= limit ? opened("%ld processes, and none was refused", *made)
                                          : blocked("EAGAIN from fork(2) after %ld processes, %ld times", *made, *refused);
  return tell("fork-bomb", &outcome);
}

/* A child takes the memory: the kernel ends it alone, and this process can tell. */
static int memory_bomb(const struct told *about) {
  long limit = most(about), *taken = shared_counter();
  pid_t child = fork();
  if (child == 0) {
    for (; *taken < limit; ++*taken) {
      char *piece = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (piece == MAP_FAILED) _exit(1);
      memset(piece, 'x', MIB);
    }
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 3;
  struct outcome outcome = WIFSIGNALED(status)              ? blocked("signal %d after %ld MiB", WTERMSIG(status), *taken)
                           : WEXITSTATUS(status) == 1 ? blocked("ENOMEM from mmap(2) after %ld MiB", *taken)
                                                            : opened("%ld MiB, and none was refused", *taken);
  return tell("memory-bomb", &outcome);
}

/* Writes files of 1 MiB, in MiB; what is refused once is tried with smaller pieces, to the last byte. */
static long fill(const char *folder, long limit, int *error) {
  static char piece[MIB];
  memset(piece, 'x', sizeof piece);
  long written = 0;
  size_t size = sizeof piece;
  for (long i = 0; written < limit * MIB && size > 0; i++) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/fill-%ld", folder, i);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    *error = errno;
    if (file < 0) break;
    ssize_t got = write(file, piece, size);
    *error = errno;
    /* Blocks may be promised and not there: only this asks for them. */
    if (got > 0 && fsync(file) != 0) *error = errno;
    close(file);
    if (got > 0) written += got;
    if (got < (ssize_t)size) size /= 4;
  }
  return written;
}

static int disk_filler(const struct told *about) {
  const char *folder = told(about, "folder", 0);
  long limit = most(about);
  int error = 0;
  signal(SIGXFSZ, SIG_IGN);
  /* Memory behind a folder counts as the shard's: the kernel may end whoever fills it. */
  long *written = shared_counter();
  pid_t child = fork();
  if (child == 0) {
    *written = fill(folder, limit, &error);
    _exit(error & 0xff);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 3;
  struct outcome outcome = WIFSIGNALED(status) ? blocked("signal %d in %s", WTERMSIG(status), folder)
                           : *written >= limit * MIB
                               ? opened("%ld KiB in %s, and none was refused", *written >> 10, folder)
                               : blocked("%s from write(2) in %s after %ld KiB", error_name(WEXITSTATUS(status)), folder, *written >> 10);
  return tell("disk-filler", &outcome);
}

/* One file that grows, beyond the limit for each. */
static int large_file(const struct told *about) {
  const char *folder = told(about, "folder", 0);
  char path[PATH_MAX];
  if (!join(path, folder, "large")) return 2;
  signal(SIGXFSZ, SIG_IGN);
  int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  long result = file < 0 ? -1 : ftruncate(file, most(about) * MIB);
  struct outcome outcome = result == 0 ? opened("one file of %ld MiB in %s", most(about), folder)
                                       : blocked("%s from ftruncate(2) in %s", error_name(errno), folder);
  return tell("large-file", &outcome);
}

/* Names without bytes. */
static int name_filler(const struct told *about) {
  const char *folder = told(about, "folder", 0);
  long *made = shared_counter(), limit = most(about);
  int error = 0;
  pid_t child = fork();
  if (child == 0) {
    for (; *made < limit; ++*made) {
      char path[PATH_MAX];
      snprintf(path, sizeof path, "%s/name-%ld", folder, *made);
      int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      if (file < 0) _exit(errno & 0xff);
      close(file);
    }
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 3;
  error = WIFSIGNALED(status) ? 0 : WEXITSTATUS(status);
  struct outcome outcome = *made >= limit ? opened("%ld names in %s, and none was refused", *made, folder)
                           : WIFSIGNALED(status) ? blocked("signal %d after %ld names in %s", WTERMSIG(status), *made, folder)
                                                 : blocked("%s from open(2) in %s after %ld names", error_name(error), folder, *made);
  return tell("name-filler", &outcome);
}

/* Lines on both outputs, none like another, so that packing them would not hide how many there are. */
static int log_flood(const struct told *about) {
  unsigned long long state = 88172645463325252ULL;
  char line[1025];
  line[1024] = '\n';
  for (long written = 0; written < most(about) * 1024; written++) {
    for (int i = 0; i < 1024; i++) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      line[i] = (char)('0' + state % 75);
    }
    if (write(written % 2 == 0 ? STDOUT_FILENO : STDERR_FILENO, line, sizeof line) < 0) return 1;
  }
  return 0;
}

/* Does not end when it is asked to, and says so once it can be asked. */
static int stall(const struct told *about) {
  (void)about;
  for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
  if (puts("stalling") < 0 || fflush(stdout) != 0) return 1;
  for (;;) pause();
}

/* Children that end and whose parents do not look after them, `most` in turn: who does not clear them away runs out of processes. */
static int orphans(const struct told *about) {
  long *refused = shared_counter();
  for (long i = 0; i < most(about); i++) {
    pid_t child = fork();
    if (child == 0) {
      if (fork() < 0) __atomic_add_fetch(refused, 1, __ATOMIC_RELAXED);
      _exit(0);
    }
    if (child < 0) ++*refused;
    else waitpid(child, NULL, 0);
    if (i % 16 == 0) rest_ms(1);
  }
  struct outcome outcome = *refused == 0 ? blocked("%ld ended processes were cleared away", most(about))
                                         : opened("%ld times fork(2) was refused for ended processes that lie about", *refused);
  return tell("orphans", &outcome);
}

int bomb(const struct told *about, const char *name) {
  static const struct {
    const char *name;
    int (*run)(const struct told *about);
  } bombs[] = {{"fork-bomb", fork_bomb},     {"memory-bomb", memory_bomb}, {"disk-filler", disk_filler}, {"large-file", large_file},
               {"name-filler", name_filler}, {"log-flood", log_flood},     {"stall", stall},             {"orphans", orphans}};
  for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++)
    if (strcmp(name, bombs[i].name) == 0) return bombs[i].run(about);
  return 2;
}
