/* What does a process do to the files of one folder, and what if a step of it goes wrong?
 *
 * Preloaded into a process, this counts the calls that change files under a folder (those of
 * SQLite, too). At the n-th one it kills the process, tears or shortens a write, lets the call
 * fail, or stops the process. It can also keep a record of every call, data included, and run the
 * time of day backwards. It does nothing until it is armed, and nothing for the folder "".
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum action { NOTHING, KILL, TORN, SHORT, STOP, HALF, FAIL };
enum kind { OPEN = 1, WRITE = 2, SYNC = 4, TRUNCATE = 8, RENAME = 16, UNLINK = 32 };

static char folder[4096];
static size_t folder_length;
static int log_fd = -1;
static int keep_data;
static enum action action;
static int error_number;
static int kinds;
static long at;
static int always;
static long count;
static int clock_backwards;
static long clock_calls;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* Which action, for which kinds of calls, at which call and whether at every later one, too. */
void shim_arm(const char *where, const char *log, const char *what, int error, int which, long n,
              int from_then_on, int with_data)
{
    snprintf(folder, sizeof folder, "%s", where);
    folder_length = strlen(folder);
    if (log_fd >= 0) syscall(SYS_close, log_fd);
    log_fd = log ? (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    const char *names[] = {"nothing", "kill", "torn", "short", "stop", "half", "fail"};
    action = NOTHING;
    for (int i = 0; i < 7; i++)
        if (!strcmp(what, names[i])) action = i;
    error_number = error;
    kinds = which;
    at = n;
    always = from_then_on;
    keep_data = with_data;
    count = 0;
}

/* From now on every look at the time of day is an hour earlier than the one before. */
void shim_clock_backwards(void) { clock_backwards = 1; }

static void put(const void *data, size_t size)
{
    const char *rest = data;
    while (size > 0 && log_fd >= 0) {
        long done = syscall(SYS_write, log_fd, rest, size);
        if (done <= 0) return;
        rest += done;
        size -= done;
    }
}

/* SQLite's shared memory is left out: nothing that is in it has to last. */
static int inside(const char *path)
{
    size_t length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, "-shm")) return 0;
    return folder_length && !strncmp(path, folder, folder_length) &&
           (path[folder_length] == '/' || !path[folder_length]);
}

/* The path that an open file was opened by; 0 if it is none of the folder's. */
static int path_of(int fd, char *path, size_t size)
{
    if (!folder_length || fd == log_fd) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return inside(path);
}

static void full_path(const char *name, char *path, size_t size)
{
    if (name[0] == '/') {
        snprintf(path, size, "%s", name);
        return;
    }
    char here[2048];
    if (!getcwd(here, sizeof here)) here[0] = 0;
    snprintf(path, size, "%s/%s", here, name);
}

/* Stand still, with all threads, until somebody wakes the process. */
static void stand_still(void)
{
    pthread_mutex_unlock(&turn);
    raise(SIGSTOP);
    pthread_mutex_lock(&turn);
}

/* What is to be done with this call; KILL is done at once, and so is STOP. */
static enum action decide(enum kind kind)
{
    if (action == NOTHING || !(kinds & kind)) return NOTHING;
    long n = ++count;
    if (n != at && !(always && n > at)) return NOTHING;
    static const char fired[] = "fired\t0\t-\t-\t0\t0\n";
    put(fired, sizeof fired - 1);
    if (action == STOP) {
        stand_still();
        return NOTHING;
    }
    if (action == KILL) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    return action;
}

static void note(const char *what, unsigned long inode, const char *path, const char *other,
                 long offset, const void *data, long size)
{
    if (log_fd < 0) return;
    char line[9000];
    int with = keep_data && data;
    int length = snprintf(line, sizeof line, "%s\t%lu\t%s\t%s\t%ld\t%ld\n", what, inode, path,
                          other, offset, with ? size : 0);
    put(line, length);
    if (with) put(data, size);
}

#define REAL(name, type) \
    static __typeof__(type) real; \
    if (!real) real = (__typeof__(type))dlsym(RTLD_NEXT, name)

/* Writes. */

typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);

static ssize_t write_somewhere(int fd, const void *data, size_t size, off_t offset, int positional)
{
    REAL("pwrite64", pwrite_t);
    static ssize_t (*plain)(int, const void *, size_t);
    if (!plain) plain = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    char path[4096];
    if (!path_of(fd, path, sizeof path))
        return positional ? real(fd, data, size, offset) : plain(fd, data, size);
    pthread_mutex_lock(&turn);
    struct stat facts;
    memset(&facts, 0, sizeof facts);
    fstat(fd, &facts);
    if (!positional)
        offset = fcntl(fd, F_GETFL) & O_APPEND ? facts.st_size : lseek(fd, 0, SEEK_CUR);
    enum action now = decide(WRITE);
    ssize_t done = -1;
    if (now == FAIL) {
        errno = error_number;
    } else {
        size_t part = now == NOTHING || size < 2 ? size : size / 2;
        done = positional ? real(fd, data, part, offset) : plain(fd, data, part);
    }
    int error = errno;
    if (done > 0) note("write", facts.st_ino, path, "-", offset, data, done);
    if (now == TORN) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    if (now == HALF) {
        stand_still();
        const char *rest = (const char *)data + done;
        size_t left = size - done;
        ssize_t more = positional ? real(fd, rest, left, offset + done) : plain(fd, rest, left);
        if (more > 0) note("write", facts.st_ino, path, "-", offset + done, rest, more);
        done += more;
    }
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return write_somewhere(fd, data, size, 0, 0);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_somewhere(fd, data, size, offset, 1);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    return write_somewhere(fd, data, size, offset, 1);
}

/* Calls on an open file that have no data. */

static int on_file(const char *name, enum kind kind, const char *word, int fd, off_t length)
{
    int (*real)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, name);
    char path[4096];
    if (!path_of(fd, path, sizeof path)) return real(fd, length);
    pthread_mutex_lock(&turn);
    struct stat facts;
    memset(&facts, 0, sizeof facts);
    fstat(fd, &facts);
    int done = -1, error;
    if (decide(kind) == FAIL) {
        error = error_number;
    } else {
        done = real(fd, length);
        error = errno;
    }
    if (!done) note(word, facts.st_ino, path, "-", length, NULL, 0);
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
}

int fsync(int fd) { return on_file("fsync", SYNC, "sync", fd, 0); }
int fdatasync(int fd) { return on_file("fdatasync", SYNC, "sync", fd, 0); }
int ftruncate(int fd, off_t length) { return on_file("ftruncate", TRUNCATE, "truncate", fd, length); }
int ftruncate64(int fd, off_t length)
{
    return on_file("ftruncate64", TRUNCATE, "truncate", fd, length);
}

/* Names. */

static int on_names(enum kind kind, const char *word, const char *one, const char *other,
                    int (*call)(const char *, const char *))
{
    char first[4096], second[4096] = "-";
    full_path(one, first, sizeof first);
    if (other) full_path(other, second, sizeof second);
    if (!inside(first)) return call(one, other);
    pthread_mutex_lock(&turn);
    int done = -1, error;
    if (decide(kind) == FAIL) {
        error = error_number;
    } else {
        done = call(one, other);
        error = errno;
    }
    if (!done) note(word, 0, first, second, 0, NULL, 0);
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
}

static int really_rename(const char *one, const char *other)
{
    REAL("rename", int (*)(const char *, const char *));
    return real(one, other);
}
static int really_unlink(const char *one, const char *other)
{
    (void)other;
    REAL("unlink", int (*)(const char *));
    return real(one);
}
int rename(const char *one, const char *other)
{
    return on_names(RENAME, "rename", one, other, really_rename);
}
int unlink(const char *one) { return on_names(UNLINK, "unlink", one, NULL, really_unlink); }

/* Opening a file to write to it. */

static int open_somehow(int at_fd, const char *name, int flags, mode_t mode)
{
    REAL("openat64", int (*)(int, const char *, int, ...));
    char path[4096];
    full_path(name, path, sizeof path);
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) || !inside(path))
        return real(at_fd, name, flags, mode);
    pthread_mutex_lock(&turn);
    int there = !faccessat(at_fd, name, F_OK, 0), done = -1, error;
    if (decide(OPEN) == FAIL) {
        error = error_number;
    } else {
        done = real(at_fd, name, flags, mode);
        error = errno;
    }
    if (done >= 0 && (!there || flags & O_TRUNC)) {
        struct stat facts;
        fstat(done, &facts);
        note(there ? "truncate" : "create", facts.st_ino, path, "-", 0, NULL, 0);
    }
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *name, int flags, ...)
{
    MODE(flags) return open_somehow(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...)
{
    MODE(flags) return open_somehow(AT_FDCWD, name, flags, mode);
}
int openat(int at_fd, const char *name, int flags, ...)
{
    MODE(flags) return open_somehow(at_fd, name, flags, mode);
}
int openat64(int at_fd, const char *name, int flags, ...)
{
    MODE(flags) return open_somehow(at_fd, name, flags, mode);
}

/* The time of day. */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    long done = syscall(SYS_clock_gettime, clock, now);
    if (!done && clock_backwards && clock == CLOCK_REALTIME)
        now->tv_sec -= 3600 * __atomic_add_fetch(&clock_calls, 1, __ATOMIC_RELAXED);
    return (int)done;
}
int gettimeofday(struct timeval *now, void *zone)
{
    (void)zone;
    struct timespec exact;
    int done = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return done;
}
time_t time(time_t *where)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (where) *where = exact.tv_sec;
    return exact.tv_sec;
}
