/* Attempts: how they are made, and what counts as refused. */
#include "probe.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* An attempt is a few system calls; one that waits for the world is given up. */
#define ATTEMPT_LIMIT_S 5

const char *told(const struct told *about, const char *name, int nth) {
  size_t length = strlen(name);
  for (int i = 0; i < about->count; i++) {
    const char *value = about->values[i];
    if (strncmp(value, name, length) == 0 && value[length] == '=' && nth-- == 0) return value + length + 1;
  }
  return NULL;
}

static struct outcome say(enum answer answer, const char *format, va_list values) {
  struct outcome outcome = {.answer = answer};
  vsnprintf(outcome.how, sizeof outcome.how, format, values);
  return outcome;
}

#define SAYS(name, answer)                        \
  struct outcome name(const char *format, ...) {  \
    va_list values;                               \
    va_start(values, format);                     \
    struct outcome outcome = say(answer, format, values); \
    va_end(values);                               \
    return outcome;                               \
  }

SAYS(blocked, BLOCKED)
SAYS(opened, OPEN)
SAYS(untried, UNTRIED)

static bool says_no(int error) {
  switch (error) {
  case EPERM:
  case EACCES:
  case EROFS:
  case ENOSYS:
  case EOPNOTSUPP:
  case EAFNOSUPPORT:
  case EPROTONOSUPPORT:
  case ESOCKTNOSUPPORT: return true;
  default: return false;
  }
}

struct outcome judged(long result, const char *call) {
  int error = errno;
  if (result >= 0) return opened("%s went through", call);
  if (says_no(error)) return blocked("%s from %s", error_name(error), call);
  return opened("%s was let through and ended with %s", call, error_name(error));
}

void put_outcome(const char *name, const struct outcome *outcome) {
  static const char *const answers[] = {[BLOCKED] = "blocked", [OPEN] = "open", [UNTRIED] = "unknown"};
  begin('{');
  put_text_field("name", name);
  put_text_field("outcome", answers[outcome->answer]);
  put_text_field("how", outcome->how);
  end('}');
}

/* In a process of its own: an attempt may end it, hang, or change what it is. */
static struct outcome make(const struct attempt *attempt, const struct told *about) {
  struct outcome *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return untried("no memory to note the outcome");
  *shared = untried("it said nothing");
  pid_t child = fork();
  if (child == 0) {
    alarm(ATTEMPT_LIMIT_S);
    *shared = attempt->make(about);
    _exit(0);
  }
  int status = 0;
  struct outcome outcome = *shared;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    outcome = untried("no process could be made for it");
  } else if (WIFSIGNALED(status)) {
    int signal = WTERMSIG(status);
    outcome = signal == SIGSYS ? blocked("SIGSYS: the seccomp filter ended it") : untried("signal %d ended it", signal);
  } else {
    outcome = *shared;
  }
  munmap(shared, sizeof *shared);
  return outcome;
}

void put_attempts(const struct told *about) {
  static const struct attempt *const all[] = {file_attempts, kernel_attempts, network_attempts, process_attempts};
  fflush(stdout);
  begin('[');
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    for (const struct attempt *at = all[i]; at->name != NULL; at++) {
      /* What stands in the buffer would be written by the child too, if it ended by exit(3). */
      fflush(stdout);
      struct outcome outcome = make(at, about);
      next();
      put_outcome(at->name, &outcome);
    }
  end(']');
}
