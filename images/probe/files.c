/* Small files and folders. */
#include "probe.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

const char *error_name(int error) {
  static const struct {
    int number;
    const char *name;
  } known[] = {
      {EPERM, "EPERM"}, {EACCES, "EACCES"}, {ENOENT, "ENOENT"}, {ENODEV, "ENODEV"}, {ENXIO, "ENXIO"}, {EBUSY, "EBUSY"}, {EIO, "EIO"},
      {EINVAL, "EINVAL"}, {EROFS, "EROFS"}, {EISDIR, "EISDIR"}, {ENOTDIR, "ENOTDIR"}, {ENOMEM, "ENOMEM"}, {ENOSYS, "ENOSYS"},
      {EAGAIN, "EAGAIN"}, {EBADF, "EBADF"}, {EFAULT, "EFAULT"}, {ESRCH, "ESRCH"}, {EXDEV, "EXDEV"}, {ENOSPC, "ENOSPC"},
      {EDQUOT, "EDQUOT"}, {EFBIG, "EFBIG"}, {EMFILE, "EMFILE"}, {EINTR, "EINTR"}, {EAFNOSUPPORT, "EAFNOSUPPORT"},
      {EPROTONOSUPPORT, "EPROTONOSUPPORT"}, {ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT"}, {EOPNOTSUPP, "EOPNOTSUPP"},
      {ENETUNREACH, "ENETUNREACH"}, {ENETDOWN, "ENETDOWN"}, {EHOSTUNREACH, "EHOSTUNREACH"}, {ECONNREFUSED, "ECONNREFUSED"},
      {ECONNRESET, "ECONNRESET"}, {EADDRNOTAVAIL, "EADDRNOTAVAIL"}, {ETIMEDOUT, "ETIMEDOUT"}, {EPROTOTYPE, "EPROTOTYPE"},
      {ENOEXEC, "ENOEXEC"}, {ENOTBLK, "ENOTBLK"}, {ENOKEY, "ENOKEY"}, {ELOOP, "ELOOP"}, {ESTALE, "ESTALE"},
  };
  static char other[32];
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (known[i].number == error) return known[i].name;
  snprintf(other, sizeof other, "errno %d", error);
  return other;
}

/* The file's text without its last line end, as much as fits; false when it cannot be read. */
bool read_text(const char *path, char *text, size_t size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  size_t length = 0;
  ssize_t got;
  while (length < size - 1 && (got = read(file, text + length, size - 1 - length)) > 0) length += (size_t)got;
  close(file);
  while (length > 0 && text[length - 1] == '\n') length--;
  text[length] = 0;
  return length > 0;
}

static int not_hidden(const struct dirent *entry) { return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0; }

bool is_folder(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* False when the path is too long. */
bool join(char path[static PATH_MAX], const char *folder, const char *name) {
  int length = snprintf(path, PATH_MAX, "%s/%s", folder, name);
  return length > 0 && length < PATH_MAX;
}

/* Calls `take` for every name in a folder, in order; a folder that cannot be read has none. */
void each_name(const char *folder, void (*take)(const char *folder, const char *name)) {
  struct dirent **names;
  int count = scandir(folder, &names, not_hidden, alphasort);
  for (int i = 0; i < count; i++) {
    take(folder, names[i]->d_name);
    free(names[i]);
  }
  if (count >= 0) free(names);
}
