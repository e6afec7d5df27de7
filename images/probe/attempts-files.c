/* Attempts on files: the machine's own, the kernel's, and those of the shard that are only to be read. */
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALK_FILES 16

/* ---- The machine's files ---- */

static bool holds(const char *path, const char *secret) {
  char text[4096];
  return read_text(path, text, sizeof text) && strstr(text, secret) != NULL;
}

static const char *walk_secret;
static char walk_found[240];

static int try_secret(const char *path, const struct stat *facts, int kind, struct FTW *at) {
  if (strcmp(path, "/proc") == 0 || strcmp(path, "/sys") == 0) return FTW_SKIP_SUBTREE;
  if (kind != FTW_F || !S_ISREG(facts->st_mode) || strcmp(path + at->base, "secret") != 0 || !holds(path, walk_secret)) return FTW_CONTINUE;
  snprintf(walk_found, sizeof walk_found, "%.200s", path);
  return FTW_STOP;
}

/* A file of the machine, whose content only the machine and the argument know: by every way that leads out of a container, through a
   link, and wherever a folder of the machine may be mounted. */
static struct outcome host_file(const struct told *about) {
  const char *path = told(about, "secret-at", 0), *secret = told(about, "secret", 0);
  if (path == NULL || secret == NULL) return untried("no file of the machine was named");
  const char *const ways[] = {"",
                              "/proc/1/root",
                              "/proc/1/cwd/../../../../../..",
                              "/proc/self/fd/0/../../../../..",
                              "/shard/out/../../../../../../..",
                              "/shard/checkpoint/../../../../../../..",
                              "/sys/../../../.."};
  char way[PATH_MAX];
  const char *link_path = "/shard/out/way-out";
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    snprintf(way, sizeof way, "%s%s", ways[i], path);
    if (holds(way, secret)) return opened("read a file of the machine through %s", ways[i][0] ? ways[i] : "its own path");
  }
  bool linked = symlink(path, link_path) == 0;
  bool read_it = linked && holds(link_path, secret);
  unlink(link_path);
  if (read_it) return opened("read a file of the machine through a link");
  walk_secret = secret;
  nftw("/", try_secret, WALK_FILES, FTW_PHYS | FTW_ACTIONRETVAL);
  return walk_found[0] ? opened("read a file of the machine at %s", walk_found)
                       : blocked("not there by any of %zu ways, and nowhere else", sizeof ways / sizeof *ways + 1);
}

/* By its number instead of its name, which needs no path (open_by_handle_at(2)); 2 is the root folder of an ext4. */
static struct outcome host_handle(const struct told *about) {
  (void)about;
  struct {
    struct file_handle head;
    unsigned char number[8];
  } handle = {{.handle_bytes = 8, .handle_type = 1}, {2}};
  int mount = open("/shard/out", O_RDONLY | O_DIRECTORY);
  return judged(open_by_handle_at(mount, &handle.head, O_RDONLY), "open_by_handle_at(2)");
}

/* A machine has dozens of users. Podman writes a file of its own, which names the container's user and root. */
static bool names_many_users(const char *path) {
  enum { FEW = 4 };
  int lines = 0;
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  for (int c; (c = fgetc(file)) != EOF;) lines += c == '\n';
  fclose(file);
  return lines > FEW;
}

/* The probe's image has none of these. */
static struct outcome host_folders(const struct told *about) {
  (void)about;
  static const char *const usual[] = {"/boot", "/home", "/root", "/etc/shadow", "/lib/modules", "/var/lib/docker",
                                      "/var/lib/containers", "/mnt", "/media", "/host", "/run/user", NULL};
  if (names_many_users("/etc/passwd")) return opened("/etc/passwd names the machine's users");
  for (int i = 0; usual[i] != NULL; i++)
    if (access(usual[i], F_OK) == 0) return opened("%s is there", usual[i]);
  return blocked("nothing but the image is there");
}

/* ---- What may only be read ---- */

/* gVisor tells it in its list of mounts alone. */
static bool mounted_read_only(const char *path) {
  struct statvfs place;
  if (statvfs(path, &place) == 0 && (place.f_flag & ST_RDONLY)) return true;
  FILE *mounts = setmntent("/proc/self/mounts", "re");
  bool found = false;
  for (struct mntent *at; mounts != NULL && (at = getmntent(mounts)) != NULL;)
    if (strcmp(at->mnt_dir, path) == 0) found = hasmntopt(at, MNTOPT_RO) != NULL;
  if (mounts != NULL) endmntent(mounts);
  return found;
}

/* Both ways of being closed count: the file's own mode, and a mount that is read-only whoever asks. */
static struct outcome only_read(const char *path) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  int error = errno;
  if (file >= 0) return opened("%s opens for writing", path);
  if (access(path, F_OK) != 0) return untried("%s from access(2) of %s", error_name(errno), path);
  if (!mounted_read_only(path)) return opened("the mount of %s can be written; only the file's mode says no", path);
  if (chmod(path, 0777) == 0) return opened("chmod(2) of %s went through", path);
  if (unlink(path) == 0) return opened("%s was removed", path);
  return blocked("%s from open(2) for writing, on a read-only mount", error_name(error));
}

static struct outcome spec_write(const struct told *about) {
  (void)about;
  return only_read("/shard/spec.json");
}

static struct outcome input_write(const struct told *about) {
  (void)about;
  return only_read("/shard/in/data");
}

/* A second name would be writable in another folder. */
static struct outcome hard_link(const struct told *about) {
  (void)about;
  static const char *const files[] = {"/shard/spec.json", "/shard/in/data", "/etc/hosts", "/probe"};
  int error = 0;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (link(files[i], "/shard/out/second-name") != 0) {
      error = errno;
      continue;
    }
    unlink("/shard/out/second-name");
    return opened("%s got a second name in /shard/out", files[i]);
  }
  return blocked("%s from link(2)", error_name(error));
}

/* ---- Where something can be written ---- */

static const struct told *walk_about;

static bool is_given(const char *path) {
  const char *given;
  for (int i = 0; (given = told(walk_about, "may-write", i)) != NULL; i++)
    if (strcmp(given, path) == 0) return true;
  return false;
}

static int try_folder(const char *path, const struct stat *facts, int kind, struct FTW *at) {
  (void)facts, (void)at;
  if (kind != FTW_D && kind != FTW_DP) return FTW_CONTINUE;
  if (strcmp(path, "/proc") == 0 || strcmp(path, "/sys") == 0 || is_given(path)) return FTW_SKIP_SUBTREE;
  char file[PATH_MAX];
  if (!join(file, strcmp(path, "/") == 0 ? "" : path, "probe-was-here")) return FTW_CONTINUE;
  int made = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made < 0) return FTW_CONTINUE;
  close(made);
  unlink(file);
  snprintf(walk_found, sizeof walk_found, "%.200s", path);
  return FTW_STOP;
}

/* Every folder there is, but those that were given to write to. */
static struct outcome other_places(const struct told *about) {
  walk_about = about;
  nftw("/", try_folder, WALK_FILES, FTW_PHYS | FTW_ACTIONRETVAL);
  return walk_found[0] ? opened("a file was made in %s", walk_found) : blocked("no other folder lets a file be made");
}

/* A name in the folder of POSIX message queues holds memory too; the kernel has a limit of its own for it (RLIMIT_MSGQUEUE). */
static struct outcome message_queues(const struct told *about) {
  (void)about;
  int made = open("/dev/mqueue/probe-was-here", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made < 0) return blocked("%s from open(2) in /dev/mqueue", error_name(errno));
  close(made);
  unlink("/dev/mqueue/probe-was-here");
  return opened("a queue was made in /dev/mqueue");
}

/* ---- The kernel's files ---- */

static int walk_tried;

static int try_file(const char *path, const struct stat *facts, int kind, struct FTW *at) {
  (void)at;
  /* Processes have folders of their own, in which their owner may write. */
  if (kind == FTW_D && strncmp(path, "/proc/", 6) == 0 && path[6] >= '0' && path[6] <= '9') return FTW_SKIP_SUBTREE;
  if (kind == FTW_D && strcmp(path, "/proc/pressure") == 0) return FTW_SKIP_SUBTREE;
  if (kind != FTW_F || !S_ISREG(facts->st_mode)) return FTW_CONTINUE;
  walk_tried++;
  /* Opening tells enough; a write could do harm. */
  int file = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return FTW_CONTINUE;
  close(file);
  snprintf(walk_found, sizeof walk_found, "%.200s", path);
  return FTW_STOP;
}

static struct outcome kernel_write(const char *root) {
  nftw(root, try_file, WALK_FILES, FTW_PHYS | FTW_ACTIONRETVAL);
  if (walk_found[0]) return opened("%s opens for writing", walk_found);
  return walk_tried == 0 ? blocked("%s holds no file", root) : blocked("open(2) for writing refused for all %d files", walk_tried);
}

static struct outcome proc_write(const struct told *about) {
  (void)about;
  return kernel_write("/proc");
}

static struct outcome sys_write(const struct told *about) {
  (void)about;
  return kernel_write("/sys");
}

/* The kernel lets everybody ask to be told when processes wait for too long (PSI, Documentation/accounting/psi.rst). */
static struct outcome pressure(const struct told *about) {
  (void)about;
  int file = open("/proc/pressure/memory", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  return file < 0 ? blocked("%s from open(2) for writing", error_name(errno)) : opened("/proc/pressure/memory opens for writing");
}

/* A program here would be run by the kernel itself, as root and outside (core(5), cgroups(7)). */
static struct outcome core_pattern(const struct told *about) {
  (void)about;
  int file = open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);
  return file < 0 ? blocked("%s from open(2) for writing", error_name(errno)) : opened("/proc/sys/kernel/core_pattern opens for writing");
}

static struct outcome release_agent(const struct told *about) {
  (void)about;
  static const char *const files[] = {"memory/release_agent", "devices/release_agent", "rdma/release_agent", "systemd/release_agent",
                                      "release_agent", "memory/cgroup.procs", "cgroup.procs", "devices/devices.allow"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[128];
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s", files[i]);
    if (open(path, O_WRONLY | O_CLOEXEC) >= 0) return opened("%s opens for writing", path);
  }
  if (mkdir("/sys/fs/cgroup/memory/probe", 0700) == 0 || mkdir("/sys/fs/cgroup/probe", 0700) == 0) return opened("a cgroup was made");
  return blocked("%s from mkdir(2) of a cgroup", error_name(errno));
}

/* What the kernel tells of itself and of other users; engines lay something empty over it. */
static struct outcome kernel_secrets(const struct told *about) {
  (void)about;
  static const char *const files[] = {"/proc/kcore",      "/proc/kmsg",          "/proc/keys",          "/proc/latency_stats", "/proc/timer_list",
                                      "/proc/sched_debug", "/proc/sysrq-trigger", "/sys/firmware/dmi/tables/DMI", "/sys/kernel/debug/gpio"};
  char text[64];
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (read_text(files[i], text, sizeof text)) return opened("%s was read", files[i]);
  return blocked("none of %zu files says anything", sizeof files / sizeof *files);
}

/* ---- Programs ---- */

/* A script whose interpreter is this program: the kernel refuses to start it on a mount that is noexec. */
static struct outcome exec_in(const char *folder) {
  char path[PATH_MAX];
  if (!join(path, folder, "probe-XXXXXX")) return untried("the path is too long");
  int file = mkstemp(path);
  // A shard has to be able to write there. Where it cannot, the engine does not see what the agent mounted.
  if (file < 0) return untried("%s from open(2) in %s: no shard could write there", error_name(errno), folder);
  bool written = dprintf(file, "#!/probe true\n") > 0 && fchmod(file, 0700) == 0;
  close(file);
  int status = -1;
  pid_t child = written ? fork() : -1;
  if (child == 0) {
    execl(path, path, (char *)NULL);
    _exit(errno == EACCES ? 126 : 127);
  }
  bool waited = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
  unlink(path);
  if (!waited) return untried("a script in %s could not be tried", folder);
  if (WEXITSTATUS(status) == 0) return opened("a script in %s was started", folder);
  return WEXITSTATUS(status) == 126 ? blocked("EACCES from execve(2)") : untried("execve(2) ended otherwise");
}

#define EXEC_IN(name, folder)                              \
  static struct outcome name(const struct told *about) { \
    (void)about;                                           \
    return exec_in(folder);                                \
  }

EXEC_IN(exec_tmp, "/tmp")
EXEC_IN(exec_shm, "/dev/shm")
EXEC_IN(exec_out, "/shard/out")
EXEC_IN(exec_checkpoint, "/shard/checkpoint")

/* A file that has no place (memfd_create(2)), holding a copy of this program. */
static struct outcome exec_memory(const struct told *about) {
  (void)about;
  int source = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), copy = memfd_create("probe", MFD_CLOEXEC);
  if (copy < 0) return judged(copy, "memfd_create(2)");
  char piece[65536];
  ssize_t got;
  while (source >= 0 && (got = read(source, piece, sizeof piece)) > 0)
    if (write(copy, piece, (size_t)got) != got) return untried("no memory for the program");
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    char *const argv[] = {"probe", "true", NULL}, *const none[] = {NULL};
    fexecve(copy, argv, none);
    _exit(errno == EACCES || errno == EPERM ? 126 : 127);
  }
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return untried("it could not be tried");
  if (WEXITSTATUS(status) == 0) return opened("a program that lies only in memory was started");
  return WEXITSTATUS(status) == 126 ? blocked("execve(2) of it was refused") : untried("execve(2) ended otherwise");
}

/* ---- Mounts ---- */

/* A mount that is shared with the machine carries what is mounted on either side; a slave takes what the machine mounts
   (mount_namespaces(7)), which the shard's own folders need not either. */
static struct outcome propagation(const struct told *about) {
  (void)about;
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  if (mounts == NULL) return untried("%s from open(2) of mountinfo", error_name(errno));
  char line[4096], place[PATH_MAX];
  while (fgets(line, sizeof line, mounts) != NULL) {
    char *fields = strstr(line, " - ");
    if (fields != NULL) *fields = 0;
    if (sscanf(line, "%*s %*s %*s %*s %4095s", place) != 1) continue;
    bool follows = strstr(line, " master:") != NULL && strncmp(place, "/shard/", 7) == 0;
    if (follows || strstr(line, " shared:") != NULL) return opened("%.200s is shared with the machine", place);
  }
  return blocked("no mount is shared with the machine");
}

/* ---- Devices ---- */

static struct outcome raw_devices(const struct told *about) {
  (void)about;
  /* The last two gVisor makes itself: they must not hide one of the machine's. */
  static const char *const nodes[] = {
      "mem",       "kmem",        "port",      "kmsg",  "sda",          "vda",            "xvda",          "nvme0", "nvme0n1", "mmcblk0", "dm-0",
      "loop0",     "kvm",         "vsock",     "vhost-vsock", "vhost-net", "vfio/vfio",   "uinput",        "rtc0",  "hpet",    "watchdog", "userfaultfd",
      "snd/timer", "video0",      "tty0",      "ttyS0", "loop-control", "mapper/control", "btrfs-control", "ptp0",  "autofs",  "fuse",    "net/tun"};
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
    char path[64];
    snprintf(path, sizeof path, "/dev/%s", nodes[i]);
    if (open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) >= 0) return opened("%s opens", path);
  }
  return blocked("none of %zu nodes opens", sizeof nodes / sizeof *nodes);
}

const struct attempt file_attempts[] = {
    {"host-file", host_file},
    {"host-file-handle", host_handle},
    {"host-folders", host_folders},
    {"spec-write", spec_write},
    {"input-write", input_write},
    {"hard-link", hard_link},
    {"write-elsewhere", other_places},
    {"message-queue", message_queues},
    {"proc-write", proc_write},
    {"sys-write", sys_write},
    {"pressure", pressure},
    {"core-pattern", core_pattern},
    {"cgroup-escape", release_agent},
    {"kernel-secrets", kernel_secrets},
    {"exec-tmp", exec_tmp},
    {"exec-shm", exec_shm},
    {"exec-out", exec_out},
    {"exec-checkpoint", exec_checkpoint},
    {"exec-memory", exec_memory},
    {"mount-propagation", propagation},
    {"raw-devices", raw_devices},
    {NULL, NULL},
};
