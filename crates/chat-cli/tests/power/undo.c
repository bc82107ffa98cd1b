// This library is loaded into a server (LD_PRELOAD). It notes what every write to a history replaces, until the file is
// synced. So after a kill a test can take back what a loss of power would have taken: see mod.rs.
//
// The notes of FILE are in FILE.undo beside it. Each write since the last sync has a record there: three u64 (offset,
// length, size of the file before) and the bytes that were there before.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
typedef int (*truncate_fn)(int, off64_t);

static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

// Opens the notes of a file of a history. Returns -1 if the file does not belong to a history.
static int notes(int fd, int flags) {
    char link[64], path[PATH_MAX + 8];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX);
    if (length <= 0) return -1;
    path[length] = 0;
    if (!ends_with(path, ".db") && !ends_with(path, ".db-wal")) return -1;
    strcat(path, ".undo");
    return open(path, O_WRONLY | O_APPEND | O_CREAT | flags, 0600);
}

static void note(int fd, uint64_t offset, uint64_t length) {
    int to = notes(fd, 0);
    struct stat64 status;
    if (to < 0) return;
    if (fstat64(fd, &status) != 0) abort();
    uint64_t head[3] = {offset, length, (uint64_t)status.st_size};
    char *record = calloc(1, sizeof head + length);
    if (!record) abort();
    memcpy(record, head, sizeof head);
    // A descriptor for writing can also be read here. Bytes beyond the end stay zero.
    pread64(fd, record + sizeof head, length, (off64_t)offset);
    write_fn real = (write_fn)dlsym(RTLD_NEXT, "write");
    if (real(to, record, sizeof head + length) != (ssize_t)(sizeof head + length)) abort();
    free(record);
    close(to);
}

static int synced(int fd, const char *name) {
    int to = notes(fd, O_TRUNC);
    if (to < 0) return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
    close(to);
    return 0; // the test ends processes and not the machine
}

ssize_t write(int fd, const void *bytes, size_t count) {
    off64_t offset = lseek64(fd, 0, SEEK_CUR);
    if (offset >= 0) note(fd, (uint64_t)offset, count);
    return ((write_fn)dlsym(RTLD_NEXT, "write"))(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    note(fd, (uint64_t)offset, count);
    return ((pwrite_fn)dlsym(RTLD_NEXT, "pwrite64"))(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

int ftruncate64(int fd, off64_t length) {
    struct stat64 status;
    if (fstat64(fd, &status) == 0 && status.st_size > length) {
        note(fd, (uint64_t)length, (uint64_t)(status.st_size - length));
    }
    return ((truncate_fn)dlsym(RTLD_NEXT, "ftruncate64"))(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) { return synced(fd, "fsync"); }

int fdatasync(int fd) { return synced(fd, "fdatasync"); }
