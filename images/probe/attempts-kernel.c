/* Attempts on the kernel: calls that only a machine's owner should make. */
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/kcmp.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPT(name) static struct outcome name(const struct told *about __attribute__((unused)))

/* ---- Mounts and namespaces ---- */

ATTEMPT(mount_something) {
  struct outcome outcome = judged(mount("none", "/tmp", "tmpfs", 0, ""), "mount(2)");
  if (outcome.answer == OPEN) umount2("/tmp", MNT_DETACH);
  return outcome;
}

/* The newer way, which some filters forgot (fsopen(2)). */
ATTEMPT(mount_anew) {
#ifdef SYS_fsopen
  return judged(syscall(SYS_fsopen, "tmpfs", 0), "fsopen(2)");
#else
  return blocked("this system has no fsopen(2)");
#endif
}

ATTEMPT(remount) {
  return judged(mount(NULL, "/shard/spec.json", NULL, MS_REMOUNT | MS_BIND, NULL), "mount(2) of /shard/spec.json for writing");
}

ATTEMPT(unmount) { return judged(umount2("/shard/spec.json", MNT_DETACH), "umount(2) of what was mounted for the shard"); }

ATTEMPT(pivot_root) { return judged(syscall(SYS_pivot_root, ".", "."), "pivot_root(2)"); }

ATTEMPT(change_root) { return judged(chroot("/tmp"), "chroot(2)"); }

/* Where this works, a program is root over more of the kernel than a container needs. */
ATTEMPT(user_namespace) {
  struct outcome first = judged(unshare(CLONE_NEWUSER), "unshare(2) of the users");
  if (first.answer == OPEN) return first;
  long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child == 0) _exit(0);
  if (child > 0) waitpid((pid_t)child, NULL, 0);
  return judged(child, "unshare(2) and clone(2) of the users");
}

ATTEMPT(namespaces) {
  static const struct {
    int kind;
    const char *call;
  } kinds[] = {{CLONE_NEWNS, "unshare(2) of the mounts"}, {CLONE_NEWNET, "unshare(2) of the network"},
               {CLONE_NEWPID, "unshare(2) of the processes"}, {CLONE_NEWIPC, "unshare(2) of the memory"},
               {CLONE_NEWUTS, "unshare(2) of the name"}, {CLONE_NEWCGROUP, "unshare(2) of the cgroups"}};
  struct outcome outcome = untried("nothing was tried");
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    outcome = judged(unshare(kinds[i].kind), kinds[i].call);
    if (outcome.answer == OPEN) return outcome;
  }
  return outcome;
}

ATTEMPT(enter_namespace) {
  static const char *const names[] = {"mnt", "net", "pid", "ipc", "uts", "cgroup", "user"};
  struct outcome outcome = blocked("no namespace can be opened");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/1/ns/%s", names[i]);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    outcome = judged(setns(file, 0), "setns(2)");
    if (outcome.answer == OPEN) return outcome;
  }
  return outcome;
}

/* ---- Rights ---- */

ATTEMPT(become_root) {
  struct outcome outcome = judged(setresuid(0, 0, 0), "setresuid(2)");
  return outcome.answer == OPEN ? outcome : judged(setresgid(0, 0, 0), "setresuid(2) and setresgid(2)");
}

/* The image has this program a second time, as root's and set-uid. */
ATTEMPT(setuid_program) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    execl("/setuid-probe", "setuid-probe", "root", (char *)NULL);
    _exit(errno == EPERM || errno == EACCES ? 126 : 127);
  }
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return untried("it could not be started");
  switch (WEXITSTATUS(status)) {
  case 10: return opened("a set-uid program of the image ran as root");
  case 11: return blocked("a set-uid program of the image got no rights by it");
  case 126: return blocked("execve(2) of it was refused");
  default: return untried("it could not be started");
  }
}

ATTEMPT(gain_capability) {
  /* CAP_SYS_ADMIN, 21 (capabilities(7)). */
  return judged(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0), "prctl(2) of the ambient capabilities");
}

/* In /tmp, gVisor makes one of its own; one in /shard/out would be the machine's. */
ATTEMPT(make_device) {
  struct outcome outcome = judged(mknod("/shard/out/memory", S_IFCHR | 0600, makedev(1, 1)), "mknod(2) in /shard/out");
  unlink("/shard/out/memory");
  if (outcome.answer == OPEN) return outcome;
  outcome = judged(mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)), "mknod(2) in /tmp");
  unlink("/tmp/disk");
  return outcome;
}

/* ---- Time ---- */

/* To what it says already, so that no clock moves where it works. */
ATTEMPT(set_clock) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct outcome outcome = judged(clock_settime(CLOCK_REALTIME, &now), "clock_settime(2)");
  if (outcome.answer == OPEN) return outcome;
  struct timex wheel = {.modes = 0};
  if (adjtimex(&wheel) < 0) return judged(-1, "clock_settime(2) and adjtimex(2)");
  wheel.modes = ADJ_FREQUENCY;
  return judged(adjtimex(&wheel), "clock_settime(2) and adjtimex(2)");
}

/* ---- The kernel's own doors ---- */

ATTEMPT(keys) {
  struct outcome outcome = judged(syscall(SYS_add_key, "user", "zg-probe", "x", 1, -3), "add_key(2)");
  if (outcome.answer == OPEN) return outcome;
  outcome = judged(syscall(SYS_keyctl, 0, -3, 0), "keyctl(2)");
  if (outcome.answer == OPEN) return outcome;
  return judged(syscall(SYS_request_key, "user", "zg-probe", NULL, -3), "add_key(2), keyctl(2) and request_key(2)");
}

ATTEMPT(fault_handling) { return judged(syscall(SYS_userfaultfd, O_CLOEXEC | 1), "userfaultfd(2)"); }

ATTEMPT(kernel_program) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  return judged(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map), "bpf(2)");
}

ATTEMPT(performance_counters) {
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_CPU_CLOCK, .exclude_kernel = 1};
  return judged(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0), "perf_event_open(2)");
}

/* 425 on every architecture that has it. */
ATTEMPT(ring) {
  char parameters[120] = {0};
  return judged(syscall(425, 1, parameters), "io_uring_setup(2)");
}

/* A second table of system calls, by other numbers: a filter that looks at numbers alone would pass them (syscall(2), seccomp(2)). */
#ifdef __x86_64__
static sigjmp_buf before_fault;
static void back(int signal) { siglongjmp(before_fault, signal); }
#endif

ATTEMPT(narrow_calls) {
#ifdef __x86_64__
  long id = -1;
  if (sigsetjmp(before_fault, 1) != 0) return blocked("SIGSEGV: this kernel has no such table");
  signal(SIGSEGV, back);
  /* 20 is getpid(2) there. */
  __asm__ volatile("int $0x80" : "=a"(id) : "a"(20) : "memory");
  errno = (int)-id;
  return id > 0 ? opened("int 0x80 was answered") : judged(-1, "int 0x80");
#else
  return blocked("this processor's programs have one table of calls");
#endif
}

ATTEMPT(load_module) { return judged(syscall(SYS_init_module, "", 0, ""), "init_module(2)"); }

ATTEMPT(load_kernel) { return judged(syscall(SYS_kexec_load, 0, 0, NULL, 0), "kexec_load(2)"); }

ATTEMPT(swap_on) {
  struct outcome outcome = judged(swapon("/shard/out", 0), "swapon(2)");
  return outcome.answer == OPEN ? outcome : judged(swapoff("/shard/out"), "swapon(2) and swapoff(2)");
}

/* Switches Ctrl-Alt-Del to what it does anyway, and only where everything else has failed. */
ATTEMPT(restart_machine) { return judged(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef, NULL), "reboot(2)"); }

ATTEMPT(rename_machine) {
  char name[256];
  if (gethostname(name, sizeof name) != 0) return untried("%s from gethostname(2)", error_name(errno));
  return judged(sethostname(name, strlen(name)), "sethostname(2)");
}

ATTEMPT(hardware_ports) {
#ifdef SYS_iopl
  struct outcome outcome = judged(syscall(SYS_iopl, 3), "iopl(2)");
  return outcome.answer == OPEN ? outcome : judged(syscall(SYS_ioperm, 0x70, 1, 1), "iopl(2) and ioperm(2)");
#else
  return blocked("this architecture has no iopl(2)");
#endif
}

ATTEMPT(kernel_log) { return judged(syscall(SYS_syslog, 3, (char[64]){0}, 64), "syslog(2)"); }

ATTEMPT(accounting) { return judged(acct(NULL), "acct(2)"); }

ATTEMPT(quota) { return judged(syscall(SYS_quotactl, 0x80000100, NULL, 0, NULL), "quotactl(2)"); }

ATTEMPT(watch_files) { return judged(syscall(SYS_fanotify_init, 0, 0), "fanotify_init(2)"); }

ATTEMPT(compare) { return judged(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILES, 0, 0), "kcmp(2)"); }

/* The same addresses at each start help an exploit. */
ATTEMPT(fixed_addresses) { return judged(personality(ADDR_NO_RANDOMIZE), "personality(2)"); }

/* ---- More than was leased ---- */

ATTEMPT(priority) {
  struct outcome outcome = judged(setpriority(PRIO_PROCESS, 0, -5), "setpriority(2)");
  if (outcome.answer == OPEN) return outcome;
  struct sched_param param = {.sched_priority = 1};
  return judged(sched_setscheduler(0, SCHED_FIFO, &param), "setpriority(2) and sched_setscheduler(2)");
}

ATTEMPT(raise_limit) {
  static const int limits[] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_FSIZE};
  struct outcome outcome = untried("no limit is set");
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)limits[i], &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return opened("a limit is not set");
    limit.rlim_max++;
    outcome = judged(setrlimit((__rlimit_resource_t)limits[i], &limit), "setrlimit(2)");
    if (outcome.answer == OPEN) return outcome;
  }
  return outcome;
}

const struct attempt kernel_attempts[] = {
    {"mount", mount_something},
    {"mount-anew", mount_anew},
    {"remount", remount},
    {"unmount", unmount},
    {"pivot-root", pivot_root},
    {"chroot", change_root},
    {"user-namespace", user_namespace},
    {"new-namespaces", namespaces},
    {"enter-namespace", enter_namespace},
    {"become-root", become_root},
    {"setuid-program", setuid_program},
    {"gain-capability", gain_capability},
    {"make-device", make_device},
    {"set-clock", set_clock},
    {"keyctl", keys},
    {"userfaultfd", fault_handling},
    {"bpf", kernel_program},
    {"perf-event", performance_counters},
    {"io-uring", ring},
    {"calls-of-32-bits", narrow_calls},
    {"kernel-module", load_module},
    {"kexec", load_kernel},
    {"swap", swap_on},
    {"reboot", restart_machine},
    {"rename-machine", rename_machine},
    {"hardware-ports", hardware_ports},
    {"kernel-log", kernel_log},
    {"accounting", accounting},
    {"quota", quota},
    {"watch-files", watch_files},
    {"kcmp", compare},
    {"personality", fixed_addresses},
    {"priority", priority},
    {"raise-limit", raise_limit},
    {NULL, NULL},
};
