/*
 * Preloaded into a process, makes chosen file operations fail, or kills the process right after one.
 * THAW_TEST_FAILURES: "<call> <part of the path> <which> <errno|kill>", several separated by semicolons; <which> is the
 * number of the matching call, from 1, or 0 for all.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct rule {
  char call[16], part[256];
  int which, number, kills, seen;
};
static struct rule rules[16];
static int count = -1;

static void parse(void) {
  count = 0;
  const char *text = getenv("THAW_TEST_FAILURES");
  while (text && *text && count < 16) {
    struct rule *r = &rules[count];
    char action[16];
    if (sscanf(text, "%15[^ ] %255[^ ] %d %15[^;]", r->call, r->part, &r->which, action) != 4) abort();
    r->kills = strcmp(action, "kill") == 0;
    r->number = atoi(action);
    count++;
    text = strchr(text, ';');
    if (text) text++;
  }
}

static struct rule *match(const char *call, const char *path) {
  if (count < 0) parse();
  for (int i = 0; i < count; i++) {
    struct rule *r = &rules[i];
    if (strcmp(r->call, call) || !path || !strstr(path, r->part)) continue;
    int seen = __sync_add_and_fetch(&r->seen, 1);
    if (r->which == 0 || r->which == seen) return r;
  }
  return NULL;
}

static const char *path_of(int fd, char *buffer) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, buffer, PATH_MAX);
  buffer[n < 0 ? 0 : n] = 0;
  return buffer;
}

#define AROUND(call, path, type, failed, real)      \
  struct rule *rule = match(call, path);            \
  if (rule && !rule->kills) {                       \
    errno = rule->number;                           \
    return failed;                                  \
  }                                                 \
  type result = real;                               \
  if (rule) kill(getpid(), SIGKILL);                \
  return result;

#define ON_PATH(name, ...) ((int (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

int rename(const char *from, const char *to) {
  char both[2 * PATH_MAX + 2];
  snprintf(both, sizeof both, "%s>%s", from, to);
  AROUND("rename", both, int, -1, ON_PATH("rename", const char *, const char *)(from, to))
}
int unlink(const char *path) { AROUND("unlink", path, int, -1, ON_PATH("unlink", const char *)(path)) }
int mkdir(const char *path, mode_t mode) {
  AROUND("mkdir", path, int, -1, ON_PATH("mkdir", const char *, mode_t)(path, mode))
}
int fsync(int fd) {
  char buffer[PATH_MAX + 1];
  AROUND("fsync", path_of(fd, buffer), int, -1, ON_PATH("fsync", int)(fd))
}
static int opened(const char *name, const char *path, int flags, mode_t mode) {
  AROUND((flags & O_CREAT) ? "create" : "open", path, int, -1,
         ON_PATH(name, const char *, int, mode_t)(path, flags, mode))
}
#define OPEN(name)                                  \
  int name(const char *path, int flags, ...) {      \
    va_list more;                                   \
    va_start(more, flags);                          \
    mode_t mode = va_arg(more, mode_t);             \
    va_end(more);                                   \
    return opened(#name, path, flags, mode);        \
  }
OPEN(open)
OPEN(open64)

#define WRITES(name, parameters, types, arguments)                                             \
  ssize_t name parameters {                                                                    \
    char buffer[PATH_MAX + 1];                                                                 \
    AROUND("write", path_of(fd, buffer), ssize_t, -1,                                          \
           ((ssize_t(*) types)dlsym(RTLD_NEXT, #name))arguments)                               \
  }
WRITES(write, (int fd, const void *data, size_t n), (int, const void *, size_t), (fd, data, n))
WRITES(writev, (int fd, const struct iovec *v, int n), (int, const struct iovec *, int), (fd, v, n))
WRITES(pwrite, (int fd, const void *data, size_t n, off_t at), (int, const void *, size_t, off_t), (fd, data, n, at))
WRITES(pwrite64, (int fd, const void *data, size_t n, off64_t at), (int, const void *, size_t, off64_t), (fd, data, n, at))
