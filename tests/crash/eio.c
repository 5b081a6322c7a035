// Loaded in front of the C library: every third write or sync of a database fails while the file LANDFALL_EIO is there.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int file) {
    static unsigned asked = 0;
    char link[64], path[1024];
    const char *flag = getenv("LANDFALL_EIO");
    if (!flag || access(flag, F_OK) != 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, "landfall.db")) return 0;
    return __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST) % 3 == 0;
}

#define INSTEAD(name, parameters, arguments, type)                       \
    type name parameters {                                               \
        static type(*next) parameters;                                   \
        if (!next) next = (type(*) parameters)dlsym(RTLD_NEXT, #name);   \
        if (fails(file)) {                                               \
            errno = EIO;                                                 \
            return -1;                                                   \
        }                                                                \
        return next arguments;                                           \
    }

INSTEAD(pwrite, (int file, const void *bytes, size_t count, off_t at), (file, bytes, count, at), ssize_t)
INSTEAD(pwrite64, (int file, const void *bytes, size_t count, off64_t at), (file, bytes, count, at), ssize_t)
INSTEAD(write, (int file, const void *bytes, size_t count), (file, bytes, count), ssize_t)
INSTEAD(fsync, (int file), (file), int)
INSTEAD(fdatasync, (int file), (file), int)
