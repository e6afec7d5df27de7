/*
 * The probe looks at the sandbox from inside, and attacks it from there: `report` says what is really true, `jail` tries to get out in
 * many small ways, `bomb` tries to use up what is not its own. It answers with one JSON object on stdout. It needs nothing from its
 * image, so it is linked statically, and it trusts no flag: it makes the attempt. Each attempt is one that does no harm where it works.
 */
#ifndef PROBE_H
#define PROBE_H
#define _GNU_SOURCE
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN (-2)
#define UNLIMITED (-1LL)

/* ---- json.c ---- */

void next(void);
void begin(char bracket);
void end(char bracket);
void put_text(const char *text);
void put_key(const char *name);
void put_text_field(const char *name, const char *text);
void put_bool_field(const char *name, int answer);
void put_limit_field(const char *name, long long limit);
/* Ends the line; the program's exit code. */
int finish(void);

/* ---- files.c ---- */

const char *error_name(int error);
bool read_text(const char *path, char *text, size_t size);
bool is_folder(const char *path);
bool join(char path[static PATH_MAX], const char *folder, const char *name);
void each_name(const char *folder, void (*take)(const char *folder, const char *name));

/* ---- report.c ---- */

void put_report(void);

/* ---- attempt.c ---- */

/* What attempts are told about the machine, as `name=value` arguments. Each may stand more than once. */
struct told {
  int count;
  char **values;
};

/* The value of the nth argument with this name, or NULL. */
const char *told(const struct told *about, const char *name, int nth);

enum answer { BLOCKED, OPEN, UNTRIED };

/* How an attempt went: `how` says which call was refused with what, or what was reached. */
struct outcome {
  enum answer answer;
  char how[240];
};

struct outcome blocked(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct outcome opened(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct outcome untried(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The outcome of a system call by its result and errno. Only an errno that says no counts as blocked: any other means that the kernel
 * looked at the arguments, so that better ones would have got through.
 */
struct outcome judged(long result, const char *call);

struct attempt {
  const char *name;
  struct outcome (*make)(const struct told *about);
};

/* Lists end with a NULL name. */
extern const struct attempt file_attempts[], kernel_attempts[], network_attempts[], process_attempts[];

/* Makes all attempts, each in a process of its own, and writes them as a JSON list. */
void put_attempts(const struct told *about);
void put_outcome(const char *name, const struct outcome *outcome);

/* ---- bombs.c ---- */

/* Runs one bomb with its arguments; the program's exit code. */
int bomb(const struct told *about, const char *name);

#endif
