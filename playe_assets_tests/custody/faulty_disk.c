/* A disk with faults for one file, loaded into a process by LD_PRELOAD. Settings come from the environment:
 *   DISK_FILE     the file's name (its last part); nothing else is touched
 *   DISK_FAULT    eio: an fdatasync fails with EIO, and what it should have saved is not counted as saved
 *                 enospc: the disk is full for a while, the last write before that goes through in part
 *                 short: every write that is asked for twice or more bytes takes about half of them
 *   DISK_AFTER    calls of the kind that go well before the fault; a new process counts from the start
 *   DISK_TIMES    how many calls then fail (enospc)
 *   DISK_SAVED    a folder; <pid> in it holds how many bytes of the file fdatasync has saved, so that a test can throw
 *                 away the rest as a loss of power would
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long calls;

static int ours(int fd) {
    const char *name = getenv("DISK_FILE");
    char link[64], path[4096];
    if (!name) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    const char *last = strrchr(path, '/');
    return last && strcmp(last + 1, name) == 0;
}

static int fault(const char *kind) {
    const char *set = getenv("DISK_FAULT");
    return set && strcmp(set, kind) == 0;
}

static long number(const char *name) {
    const char *set = getenv(name);
    return set ? atol(set) : 0;
}

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    if (!ours(fd)) return real(fd);
    struct stat before;
    fstat(fd, &before);
    if (fault("eio") && __sync_add_and_fetch(&calls, 1) > number("DISK_AFTER")) {
        errno = EIO;
        return -1;
    }
    int done = real(fd);
    const char *folder = getenv("DISK_SAVED");
    if (done == 0 && folder) {
        char path[4096], text[32];
        snprintf(path, sizeof path, "%s/%d", folder, getpid());
        int out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        int length = snprintf(text, sizeof text, "%020lld", (long long)before.st_size);
        if (out < 0 || pwrite(out, text, length, 0) != length) abort();
        close(out);
    }
    return done;
}

ssize_t write(int fd, const void *data, size_t count) {
    ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (!ours(fd)) return real(fd, data, count);
    if (fault("short") && count > 1) return real(fd, data, (count + 1) / 2);
    if (fault("enospc")) {
        long over = __sync_add_and_fetch(&calls, 1) - number("DISK_AFTER");
        if (over == 1 && count > 1) return real(fd, data, count / 3 + 1);
        if (over > 1 && over <= 1 + number("DISK_TIMES")) {
            errno = ENOSPC;
            return -1;
        }
    }
    return real(fd, data, count);
}
