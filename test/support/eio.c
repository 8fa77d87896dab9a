// Lets one stretch of one file fail to be read, as a bad sector does, or with EIO_STALLS never be
// read at all, as from a file server that has gone. For LD_PRELOAD.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_bad(int fd, size_t count, off_t offset) {
  const char *path = getenv("EIO_PATH");
  const char *at = getenv("EIO_OFFSET");
  if (path == NULL || at == NULL) return 0;
  char link[64], target[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, target, sizeof target - 1);
  if (length < 0) return 0;
  target[length] = 0;
  off_t bad = atoll(at);
  return strcmp(target, path) == 0 && offset <= bad && bad < offset + (off_t)count;
}

ssize_t pread64(int fd, void *buffer, size_t count, off_t offset) {
  if (is_bad(fd, count, offset)) {
    if (getenv("EIO_STALLS") != NULL) {
      dprintf(STDERR_FILENO, "stalled\n");
      for (;;) pause();
    }
    errno = EIO;
    return -1;
  }
  ssize_t (*next)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread64");
  return next(fd, buffer, count, offset);
}

ssize_t pread(int fd, void *buffer, size_t count, off_t offset) {
  return pread64(fd, buffer, count, offset);
}
