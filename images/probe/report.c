/* What is really true inside the sandbox. What this kernel or runtime does not tell is null. */
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { NO = 0, YES = 1 };

/* One value of /proc/self/status (proc_pid_status(5)), or NULL. */
static const char *status_value(const char *name, char *value, size_t size) {
  char text[8192], line[64];
  if (!read_text("/proc/self/status", text, sizeof text)) return NULL;
  snprintf(line, sizeof line, "\n%s:", name);
  const char *found = strstr(text, line);
  if (found == NULL) return NULL;
  found += strlen(line);
  found += strspn(found, " \t");
  snprintf(value, size, "%.*s", (int)strcspn(found, " \t\n"), found);
  return value;
}

/* ---- Who we are ---- */

static void put_identity(void) {
  put_limit_field("uid", geteuid());
  put_limit_field("gid", getegid());
  gid_t groups[1024];
  int count = getgroups(1024, groups);
  put_key("groups");
  begin('[');
  for (int i = 0; i < count; i++) {
    next();
    printf("%u", groups[i]);
  }
  end(']');
}

static void put_rights(void) {
  char value[64];
  put_text_field("capEff", status_value("CapEff", value, sizeof value));
  put_text_field("capBnd", status_value("CapBnd", value, sizeof value));
  int no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  put_bool_field("noNewPrivs", no_new_privs < 0 ? UNKNOWN : no_new_privs);
  const char *seccomp = status_value("Seccomp", value, sizeof value);
  put_limit_field("seccompMode", seccomp == NULL ? UNKNOWN : atoll(seccomp));
}

/* ---- Files ---- */

/* The image has a folder that anybody may write to, so that only a read-only file system refuses. */
static int root_is_read_only(void) {
  const char *path = "/open/probe";
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return errno == EROFS ? YES : UNKNOWN;
  close(file);
  unlink(path);
  return NO;
}

/* A script in /tmp whose interpreter is this program: the kernel refuses to start it where /tmp is noexec. */
static int tmp_is_noexec(void) {
  char self[PATH_MAX], path[] = "/tmp/probe-XXXXXX";
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0) return UNKNOWN;
  self[length] = 0;
  int file = mkstemp(path);
  if (file < 0) return UNKNOWN;
  bool written = dprintf(file, "#!%s true\n", self) > 0 && fchmod(file, 0700) == 0;
  close(file);
  int status = -1;
  pid_t child = written ? fork() : -1;
  if (child == 0) {
    execl(path, path, (char *)NULL);
    _exit(errno == EACCES ? 126 : 127);
  }
  bool waited = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
  unlink(path);
  if (!waited) return UNKNOWN;
  return WEXITSTATUS(status) == 0 ? NO : WEXITSTATUS(status) == 126 ? YES : UNKNOWN;
}

static long long file_system_bytes(const char *path) {
  struct statvfs room;
  if (statvfs(path, &room) != 0 || room.f_blocks == 0) return UNKNOWN;
  return (long long)room.f_blocks * (long long)room.f_frsize;
}

static void put_files(void) {
  put_bool_field("rootReadOnly", root_is_read_only());
  put_bool_field("tmpNoexec", tmp_is_noexec());
  put_limit_field("tmpBytes", file_system_bytes("/tmp"));
  put_limit_field("shmBytes", file_system_bytes("/dev/shm"));
}

/* ---- Network and namespaces ---- */

/* Only interfaces that are up: some kernels put tunnels that are down into every new network. */
static void put_interfaces(void) {
  struct ifaddrs *list = NULL;
  put_key("interfaces");
  if (getifaddrs(&list) != 0) {
    fputs("null", stdout);
    return;
  }
  begin('[');
  for (struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
    bool known = false;
    for (struct ifaddrs *before = list; before != at; before = before->ifa_next)
      known = known || strcmp(before->ifa_name, at->ifa_name) == 0;
    if (known || !(at->ifa_flags & IFF_UP)) continue;
    next();
    put_text(at->ifa_name);
  }
  end(']');
  freeifaddrs(list);
}

/* The first namespaces have fixed numbers (enum init_ns_ino in the kernel's uapi/linux/nsfs.h; net and mnt only since 6.18). */
static const struct {
  const char *name, *initial;
} namespaces[] = {
    {"cgroup", "cgroup:[4026531835]"}, {"ipc", "ipc:[4026531839]"}, {"mnt", "mnt:[4026531832]"},
    {"net", "net:[4026531833]"},       {"pid", "pid:[4026531836]"}, {"uts", "uts:[4026531838]"},
};

static void put_host_namespaces(void) {
  put_key("hostNamespaces");
  if (access("/proc/self/ns/ipc", F_OK) != 0) {
    fputs("null", stdout);
    return;
  }
  begin('[');
  for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++) {
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", namespaces[i].name);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) continue;
    target[length] = 0;
    if (strcmp(target, namespaces[i].initial) != 0) continue;
    next();
    put_text(namespaces[i].name);
  }
  end(']');
}

/* ---- Limits ---- */

/* The first of two files that is there: cgroup v2's and v1's. `max`, -1 and v1's near-endless number of bytes all mean no limit. */
static long long cgroup_limit(const char *v2, const char *v1) {
  char text[64], path[128];
  const char *names[] = {v2, v1};
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s", names[i]);
    if (!read_text(path, text, sizeof text)) continue;
    if (strncmp(text, "max", 3) == 0) return UNLIMITED;
    char *rest;
    long long limit = strtoll(text, &rest, 10);
    if (rest == text) return UNKNOWN;
    return limit < 0 || limit > LLONG_MAX / 2 ? UNLIMITED : limit;
  }
  return UNKNOWN;
}

/* v2 limits swap alone; v1 limits memory and swap together. Neither file is there when the kernel does not count swap. */
static long long swap_limit(long long memory) {
  long long swap = cgroup_limit("memory.swap.max", "-");
  if (swap != UNKNOWN) return swap;
  long long both = cgroup_limit("-", "memory/memory.memsw.limit_in_bytes");
  if (both < 0 || memory < 0) return both;
  return both > memory ? both - memory : 0;
}

/* In CPUs: quota over period, both in microseconds; v2 has them in one file. */
static void put_cpu_quota(void) {
  char text[64];
  long long quota = UNKNOWN, period = 0;
  if (read_text("/sys/fs/cgroup/cpu.max", text, sizeof text)) {
    quota = cgroup_limit("cpu.max", "-");
    sscanf(text, "%*s %lld", &period);
  } else {
    quota = cgroup_limit("-", "cpu/cpu.cfs_quota_us");
    period = cgroup_limit("-", "cpu/cpu.cfs_period_us");
  }
  if (quota >= 0 && period > 0) {
    put_key("cpuQuota");
    printf("%.4f", (double)quota / (double)period);
  } else {
    put_limit_field("cpuQuota", quota == UNLIMITED ? UNLIMITED : UNKNOWN);
  }
}

/* The hard limit: the soft one can be raised to it. */
static long long hard_limit(int resource) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return UNLIMITED;
  return limit.rlim_max > LLONG_MAX / 2 ? UNLIMITED : (long long)limit.rlim_max;
}

static void put_limits(void) {
  long long memory = cgroup_limit("memory.max", "memory/memory.limit_in_bytes");
  put_limit_field("memoryLimitBytes", memory);
  put_limit_field("swapLimitBytes", swap_limit(memory));
  put_limit_field("pidsLimit", cgroup_limit("pids.max", "pids/pids.max"));
  put_cpu_quota();
  put_key("limits");
  begin('{');
  put_limit_field("nofile", hard_limit(RLIMIT_NOFILE));
  put_limit_field("core", hard_limit(RLIMIT_CORE));
  put_limit_field("fsize", hard_limit(RLIMIT_FSIZE));
  end('}');
}

/* ---- The place ---- */

static void put_place(void) {
  struct utsname host;
  char first[64];
  bool named = uname(&host) == 0;
  put_text_field("kernel", named ? host.release : "");
  put_text_field("pid1", read_text("/proc/1/comm", first, sizeof first) ? first : NULL);
  put_text_field("hostname", named ? host.nodename : "");
}

/* Only variables that concern loaders and GPU tools: a report is no place for a buyer's secrets. */
static void put_environment(void) {
  put_key("env");
  begin('{');
  for (char **at = environ; *at != NULL; at++) {
    if (strncmp(*at, "LD_PRELOAD=", 11) != 0 && strncmp(*at, "NVIDIA_", 7) != 0) continue;
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(*at, "="), *at);
    const char *value = strchr(*at, '=');
    put_text_field(name, value == NULL ? "" : value + 1);
  }
  end('}');
}

/* ---- Devices ---- */

/* A node that is there may still be refused by the engine's device policy, which only an open shows. */
static void put_device(const char *path) {
  /* MIG's capability nodes may only be read. */
  int mode = strncmp(path, "/dev/nvidia-caps", 16) == 0 ? O_RDONLY : O_RDWR;
  int node = open(path, mode | O_CLOEXEC);
  int error = node < 0 ? errno : 0;
  if (node >= 0) close(node);
  next();
  begin('{');
  put_text_field("path", path);
  put_bool_field("opens", node >= 0);
  put_text_field("error", node < 0 ? error_name(error) : NULL);
  end('}');
}

static bool is_gpu(const char *name) {
  return strncmp(name, "nvidia", 6) == 0 || strcmp(name, "kfd") == 0 || strcmp(name, "dri") == 0 || strcmp(name, "dxg") == 0;
}

static bool is_usual(const char *name) {
  static const char *usual[] = {"console", "core",   "fd",     "full",  "mqueue", "null",    "ptmx", "pts", "random",
                                "shm",     "stderr", "stdin", "stdout", "tty",    "urandom", "zero", NULL};
  for (int i = 0; usual[i] != NULL; i++)
    if (strcmp(name, usual[i]) == 0) return true;
  return false;
}

static void take_inner(const char *folder, const char *name) {
  char path[PATH_MAX];
  if (!join(path, folder, name)) return;
  if (!is_folder(path)) put_device(path);
}

static void take_gpu(const char *folder, const char *name) {
  char path[PATH_MAX];
  if (!is_gpu(name) || !join(path, folder, name)) return;
  if (is_folder(path))
    each_name(path, take_inner);
  else
    put_device(path);
}

static void take_other(const char *folder, const char *name) {
  (void)folder;
  if (is_gpu(name) || is_usual(name)) return;
  next();
  put_text(name);
}

static void put_devices(void) {
  put_key("devices");
  begin('[');
  each_name("/dev", take_gpu);
  end(']');
  put_key("otherDevices");
  begin('[');
  each_name("/dev", take_other);
  end(']');
}

/* ---- The whole ---- */

void put_report(void) {
  begin('{');
  put_identity();
  put_rights();
  put_files();
  put_interfaces();
  put_host_namespaces();
  put_limits();
  put_place();
  put_environment();
  put_devices();
  end('}');
}
