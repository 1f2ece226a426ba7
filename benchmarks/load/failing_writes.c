/* Preloaded into a process: every n-th write below a folder fails with EIO, over all processes.
 *
 * FAILING_FOLDER names the folder, FAILING_EVERY is n, FAILING_COUNT a file of two 64-bit numbers
 * that all processes map: how many writes there were, and how many failed. What is below /dev, in
 * pipes and sockets is not counted. A write that fails changes nothing, as on a bad block; fsync and
 * rename count as writes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned long *counts;
static unsigned long every;
static const char *folder;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAILING_COUNT");
  const char *number = getenv("FAILING_EVERY");
  folder = getenv("FAILING_FOLDER");
  if (!path || !number || !folder) return;
  int file = open(path, O_RDWR);
  if (file < 0) return;
  void *mapped = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped == MAP_FAILED) return;
  counts = mapped;
  every = strtoul(number, NULL, 10);
}

static int due(const char *path) {
  if (!counts || strncmp(path, folder, strlen(folder)) != 0) return 0;
  if (__sync_add_and_fetch(&counts[0], 1) % every != 0) return 0;
  __sync_add_and_fetch(&counts[1], 1);
  errno = EIO;
  return 1;
}

static int fails(int file) {
  if (!counts) return 0;
  char link[64], path[PATH_MAX];
  int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length <= 0) return 0;
  path[length] = 0;
  return due(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *data, size_t size) {
  return fails(file) ? -1 : REAL(write)(file, data, size);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
  return fails(file) ? -1 : REAL(pwrite)(file, data, size, at);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
  return fails(file) ? -1 : REAL(pwrite64)(file, data, size, at);
}

ssize_t writev(int file, const struct iovec *parts, int number) {
  return fails(file) ? -1 : REAL(writev)(file, parts, number);
}

int fsync(int file) { return fails(file) ? -1 : REAL(fsync)(file); }

int fdatasync(int file) { return fails(file) ? -1 : REAL(fdatasync)(file); }

int rename(const char *from, const char *to) {
  return due(from) ? -1 : REAL(rename)(from, to);
}
