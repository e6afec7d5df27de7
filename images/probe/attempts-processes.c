/* Attempts on other programs of the machine, and on what it tells of itself. */
#include "probe.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than a container may have, so that its whole table of processes is looked through. */
#define PIDS 4200

extern char **environ;

/* Ours are the first process, which is the engine's init, this one and those that made it. */
static bool is_own(pid_t pid) {
  for (pid_t at = getpid(); at > 1;) {
    if (at == pid) return true;
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", at);
    const char *rest = read_text(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    if (rest == NULL || sscanf(rest, ") %*c %d", &at) != 1) return false;
  }
  return pid == 1;
}

static struct outcome others_seen(const struct told *about) {
  (void)about;
  DIR *all = opendir("/proc");
  if (all == NULL) return untried("%s from open(2) of /proc", error_name(errno));
  int seen = 0, others = 0;
  for (const struct dirent *entry; (entry = readdir(all)) != NULL;) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    seen++;
    struct stat facts;
    pid_t pid = atoi(entry->d_name);
    bool foreign = fstatat(dirfd(all), entry->d_name, &facts, 0) == 0 && facts.st_uid != geteuid();
    if (foreign || !is_own(pid)) others++;
  }
  return others > 0 ? opened("%d processes of others are in /proc", others) : blocked("/proc shows %d processes, all of this container", seen);
}

/* Signal 0 does nothing but tell whether there is somebody (kill(2)). */
static struct outcome others_signalled(const struct told *about) {
  (void)about;
  for (pid_t pid = 1; pid < PIDS; pid++)
    if ((kill(pid, 0) == 0 || errno != ESRCH) && !is_own(pid)) return opened("kill(2) finds process %d, which is not of this container", pid);
  return blocked("ESRCH from kill(2) for all others of %d", PIDS);
}

static struct outcome others_traced(const struct told *about) {
  (void)about;
  char piece[8];
  struct iovec here = {piece, sizeof piece}, there = {(void *)0x1000, sizeof piece};
  for (pid_t pid = 2; pid < PIDS; pid++) {
    if ((kill(pid, 0) != 0 && errno == ESRCH) || is_own(pid)) continue;
    if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0) {
      ptrace(PTRACE_DETACH, pid, NULL, NULL);
      return opened("ptrace(2) holds process %d, which is not of this container", pid);
    }
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT) return opened("process_vm_readv(2) reads process %d", pid);
  }
  return blocked("ptrace(2) and process_vm_readv(2) find nobody else");
}

/* The engine's init runs as the shard's own user. */
static struct outcome init_traced(const struct told *about) {
  (void)about;
  if (getppid() == 1 || getpid() == 1) return blocked("there is no init");
  if (ptrace(PTRACE_ATTACH, 1, NULL, NULL) != 0) return blocked("%s from ptrace(2) of the first process", error_name(errno));
  waitpid(1, NULL, __WALL);
  ptrace(PTRACE_DETACH, 1, NULL, NULL);
  return opened("ptrace(2) holds the first process");
}

/* Names of System V memory that is not of this container (ipc_namespaces(7)): this one made none. */
static struct outcome shared_memory(const struct told *about) {
  const char *key = told(about, "memory-key", 0);
  key_t number = key == NULL ? IPC_PRIVATE : (key_t)strtol(key, NULL, 0);
  if (number == IPC_PRIVATE) return untried("there is none to try");
  int found = shmget(number, 0, 0);
  if (found >= 0 || errno != ENOENT) return opened("shmget(2) finds memory of the machine");
  return blocked("ENOENT from shmget(2)");
}

/* The list of names that are there for a reason comes with the arguments; values are never told. */
static struct outcome environment(const struct told *about) {
  int count = 0;
  for (char **at = environ; *at != NULL; at++, count++) {
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(*at, "="), *at);
    bool known = false;
    const char *given;
    for (int i = 0; !known && (given = told(about, "env", i)) != NULL; i++) known = strcmp(given, name) == 0;
    if (!known) return opened("the variable %s is set", name);
  }
  return blocked("none but the %d variables that a shard is given", count);
}

/* Every process that lives longer than the shard would be ended before it where memory runs out (proc_pid_oom_score_adj(5)). */
static struct outcome oom_score(const struct told *about) {
  const char *wanted = told(about, "oom-score", 0);
  char text[32];
  if (wanted == NULL || !read_text("/proc/self/oom_score_adj", text, sizeof text)) return untried("the kernel does not tell");
  return atoi(text) < atoi(wanted) ? opened("it is ended after others: %s instead of %s", text, wanted)
                                   : blocked("it is ended before others, with %s", text);
}

static struct outcome lower_oom_score(const struct told *about) {
  (void)about;
  int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  ssize_t written = file < 0 ? -1 : write(file, "0", 1);
  return written > 0 ? opened("it can spare itself when memory runs out") : blocked("%s from write(2) of a lower score", error_name(errno));
}

/* The engine copies the machine's own file, with the address of a name server in the owner's network. */
static struct outcome name_server(const struct told *about) {
  char text[4096];
  const char *address;
  if (!read_text("/etc/resolv.conf", text, sizeof text)) return blocked("/etc/resolv.conf says nothing");
  for (int i = 0; (address = told(about, "name-server", i)) != NULL; i++)
    if (strstr(text, address) != NULL) return opened("/etc/resolv.conf names the machine's name server");
  return blocked("/etc/resolv.conf names none of the machine's");
}

/* The kernel names the source of each mount (proc_pid_mountinfo(5)). */
static struct outcome folder_names(const struct told *about) {
  const char *place = told(about, "place", 0);
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (place == NULL || mounts == NULL) return untried("nothing to compare with");
  char line[8192];
  while (fgets(line, sizeof line, mounts) != NULL)
    if (strstr(line, place) != NULL) return opened("/proc/self/mountinfo names folders of the machine");
  return blocked("/proc/self/mountinfo names no folder of the machine");
}

static struct outcome cgroup_name(const struct told *about) {
  (void)about;
  char text[4096];
  if (!read_text("/proc/self/cgroup", text, sizeof text)) return blocked("/proc/self/cgroup says nothing");
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    const char *path = strrchr(line, ':');
    /* The root of its own namespace is all that it may see. */
    if (path != NULL && strcmp(path, ":/") != 0) return opened("/proc/self/cgroup says %.100s", line);
  }
  return blocked("/proc/self/cgroup knows nothing above the container");
}

const struct attempt process_attempts[] = {
    {"see-processes", others_seen},
    {"signal-processes", others_signalled},
    {"trace-processes", others_traced},
    {"trace-init", init_traced},
    {"shared-memory", shared_memory},
    {"environment", environment},
    {"outlive-others", oom_score},
    {"spare-itself", lower_oom_score},
    {"learn-name-server", name_server},
    {"learn-folders", folder_names},
    {"learn-cgroup", cgroup_name},
    {NULL, NULL},
};
