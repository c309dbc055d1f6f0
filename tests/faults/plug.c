/* A plug to pull: counts every call that changes a file below PLUG_ROOT, and at the one it is told to, ends the process or fails.
 *
 * Preloaded into a process (LD_PRELOAD), it stands between all of its parts and the C library: Python, DuckDB and Arrow alike.
 * It is armed by plug_arm(), so that what a process does before that is not counted.
 *
 *   mode 0  count only
 *   mode 1  kill -9 in place of call number `at`
 *   mode 2  the same, but a write writes its first half before (a torn write)
 *   mode 3  from call number `at` on the disk is full: what needs room fails with ENOSPC
 *   mode 4  from call number `at` on the disk is read-only: every change fails with EROFS
 *   mode 5  call number `at` alone fails with EIO
 *
 * The log gets one line per point: its number, the call, the path.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, TEAR, FULL, READ_ONLY, BROKEN };

static atomic_int points;
static int mode = COUNT, at, log_fd = -1;
static char roots[2][PATH_MAX];
static atomic_int is_armed;

void plug_arm(const char *root, const char *other, int how, int when, const char *log) {
    snprintf(roots[0], sizeof roots[0], "%s", root);
    snprintf(roots[1], sizeof roots[1], "%s", other);
    mode = how;
    at = when;
    log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    points = 0;
    is_armed = 1;
}

static int is_below(const char *path) {
    for (int n = 0; n < 2; n++) {
        size_t length = strlen(roots[n]);
        if (length && !strncmp(path, roots[n], length) && (path[length] == '/' || path[length] == 0)) return 1;
    }
    return 0;
}

static void path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

static void path_at(int dir, const char *name, char *path) {
    if (!name) name = "";
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    char folder[PATH_MAX];
    if (dir == AT_FDCWD) {
        if (!getcwd(folder, sizeof folder)) folder[0] = 0;
    } else {
        path_of(dir, folder);
    }
    snprintf(path, PATH_MAX, "%.2000s/%.2000s", folder, name);
}

/* The errno this call has to fail with; 0 to let it through; TORN to write half of it and die. */
#define TORN (-1)
static int meet(const char *call, const char *path, int needs_room, int is_write) {
    if (!is_armed || !is_below(path)) return 0;
    int number = ++points;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%d %s %s\n", number, call, path);
    if (log_fd >= 0 && length > 0) syscall(SYS_write, log_fd, line, (size_t)length);
    switch (mode) {
        case TEAR:
            if (number == at && is_write) return TORN;
            /* fall through */
        case KILL:
            if (number == at) {
                syscall(SYS_kill, getpid(), SIGKILL);
                for (;;) pause();
            }
            return 0;
        case FULL: return number >= at && needs_room ? ENOSPC : 0;
        case READ_ONLY: return number >= at ? EROFS : 0;
        case BROKEN: return number == at ? EIO : 0;
        default: return 0;
    }
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define ON_FD(type, name, params, args, needs_room)                                   \
    type name params {                                                                \
        static __typeof__(&name) real;                                                \
        if (!real) real = REAL(name);                                                 \
        if (is_armed) {                                                               \
            char path[PATH_MAX];                                                      \
            path_of(fd, path);                                                        \
            int refused = meet(#name, path, needs_room, 0);                           \
            if (refused) { errno = refused; return -1; }                              \
        }                                                                             \
        return real args;                                                             \
    }

#define WRITES(name, params, args, half)                                              \
    ssize_t name params {                                                             \
        static __typeof__(&name) real;                                                \
        if (!real) real = REAL(name);                                                 \
        if (is_armed) {                                                               \
            char path[PATH_MAX];                                                      \
            path_of(fd, path);                                                        \
            int refused = meet(#name, path, 1, 1);                                    \
            if (refused == TORN) { half; die(); }                                     \
            if (refused) { errno = refused; return -1; }                              \
        }                                                                             \
        return real args;                                                             \
    }

WRITES(write, (int fd, const void *bytes, size_t size), (fd, bytes, size), real(fd, bytes, size / 2))
WRITES(pwrite, (int fd, const void *bytes, size_t size, off_t from), (fd, bytes, size, from), real(fd, bytes, size / 2, from))
WRITES(pwrite64, (int fd, const void *bytes, size_t size, off64_t from), (fd, bytes, size, from), real(fd, bytes, size / 2, from))
WRITES(writev, (int fd, const struct iovec *pieces, int count), (fd, pieces, count), real(fd, pieces, count / 2))

ON_FD(int, fsync, (int fd), (fd), 1)
ON_FD(int, fdatasync, (int fd), (fd), 1)
ON_FD(int, ftruncate, (int fd, off_t size), (fd, size), size > 0)
ON_FD(int, ftruncate64, (int fd, off64_t size), (fd, size), size > 0)
ON_FD(int, fchmod, (int fd, mode_t bits), (fd, bits), 0)

#define ON_PATH(type, name, params, args, dir, where, needs_room)                     \
    type name params {                                                                \
        static __typeof__(&name) real;                                                \
        if (!real) real = REAL(name);                                                 \
        if (is_armed) {                                                               \
            char path[PATH_MAX];                                                      \
            path_at(dir, where, path);                                                \
            int refused = meet(#name, path, needs_room, 0);                           \
            if (refused) { errno = refused; return -1; }                              \
        }                                                                             \
        return real args;                                                             \
    }

ON_PATH(int, rename, (const char *from, const char *to), (from, to), AT_FDCWD, to, 0)
ON_PATH(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), b, to, 0)
ON_PATH(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags), b, to, 0)
ON_PATH(int, unlink, (const char *name), (name), AT_FDCWD, name, 0)
ON_PATH(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags), dir, name, 0)
ON_PATH(int, remove, (const char *name), (name), AT_FDCWD, name, 0)
ON_PATH(int, rmdir, (const char *name), (name), AT_FDCWD, name, 0)
ON_PATH(int, link, (const char *from, const char *to), (from, to), AT_FDCWD, to, 1)
ON_PATH(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), b, to, 1)
ON_PATH(int, symlink, (const char *from, const char *to), (from, to), AT_FDCWD, to, 1)
ON_PATH(int, symlinkat, (const char *from, int dir, const char *to), (from, dir, to), dir, to, 1)
ON_PATH(int, mkdir, (const char *name, mode_t bits), (name, bits), AT_FDCWD, name, 1)
ON_PATH(int, mkdirat, (int dir, const char *name, mode_t bits), (dir, name, bits), dir, name, 1)
ON_PATH(int, chmod, (const char *name, mode_t bits), (name, bits), AT_FDCWD, name, 0)
ON_PATH(int, truncate, (const char *name, off_t size), (name, size), AT_FDCWD, name, 1)

/* Opening changes a file when it makes or empties one; on a read-only disk opening for writing fails too. */
static int meet_open(const char *call, int dir, const char *name, int flags) {
    char path[PATH_MAX];
    path_at(dir, name, path);
    if (flags & (O_CREAT | O_TRUNC)) return meet(call, path, 1, 0);
    if (is_armed && mode == READ_ONLY && (flags & O_ACCMODE) != O_RDONLY && is_below(path) && points + 1 >= at) return EROFS;
    return 0;
}

#define OPENS(name, params, args, dir)                                                \
    int name params {                                                                 \
        static __typeof__(&name) real;                                                \
        if (!real) real = REAL(name);                                                 \
        mode_t bits = 0;                                                              \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                        \
            va_list more;                                                             \
            va_start(more, flags);                                                    \
            bits = va_arg(more, mode_t);                                              \
            va_end(more);                                                             \
        }                                                                             \
        if (is_armed) {                                                               \
            int refused = meet_open(#name, dir, path, flags);                         \
            if (refused) { errno = refused; return -1; }                              \
        }                                                                             \
        return real args;                                                             \
    }

OPENS(open, (const char *path, int flags, ...), (path, flags, bits), AT_FDCWD)
OPENS(open64, (const char *path, int flags, ...), (path, flags, bits), AT_FDCWD)
OPENS(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, bits), dir)
OPENS(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, bits), dir)
