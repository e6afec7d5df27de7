#include "probe.h"
#include <unistd.h>

static int report(const struct told *about) {
  (void)about;
  put_report();
  return finish();
}

static int jail(const struct told *about) {
  begin('{');
  put_key("report");
  put_report();
  put_key("attempts");
  put_attempts(about);
  end('}');
  return finish();
}

static int explode(const struct told *about) {
  struct told rest = {about->count - 1, about->values + 1};
  return about->count < 1 ? 2 : bomb(&rest, about->values[0]);
}

/* What is started by attempts to start something. */
static int succeed(const struct told *about) {
  (void)about;
  return 0;
}

/* Its exit code tells an attempt whether it became root. */
static int tell_root(const struct told *about) {
  (void)about;
  return geteuid() == 0 ? 10 : 11;
}

static const struct {
  const char *name;
  int (*run)(const struct told *about);
} commands[] = {{"report", report}, {"jail", jail}, {"bomb", explode}, {"true", succeed}, {"root", tell_root}};

int main(int argc, char **argv) {
  struct told about = {argc - 2, argv + 2};
  for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
    if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(&about);
  fputs("usage: probe report | jail [name=value ...] | bomb name [name=value ...]\n", stderr);
  return 2;
}
