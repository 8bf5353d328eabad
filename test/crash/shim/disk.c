/*
 * Stands between a program and one directory: writes down, in order, what the program does to the files in it, and
 * makes the disk fail on command. Loaded with LD_PRELOAD.
 *
 * SLUICE_SHIM_DIR     the directory, absolute, without a slash at its end
 * SLUICE_SHIM_RECORD  file that gets one entry per operation (see below); absent: nothing is written down
 * SLUICE_SHIM_FAULT   file whose first byte says how the disk fails now; absent: never
 *
 * An entry, little-endian: u8 kind, u64 inode, u64 offset, u32 length, and so many bytes.
 *   1 write      the bytes written at offset
 *   2 truncate   offset is the new size
 *   3 sync       fsync or fdatasync of a file has returned
 *   4 create     the bytes are the path below the directory
 *   5 unlink     the same
 *   6 rename     old path, NUL, new path
 *   7 sync_dir   fsync of the directory has returned
 *
 * A fault: '-' none; 's' no space: a write that makes a file longer fails; 'e' every write and every sync fails;
 * 'r' read-only; 'i' every read fails; 'p' every read behind the first page of a file fails; 'n' every read of one file fails,
 * whose inode (u64) follows; 'o' that file cannot be opened; 'b' every read of one page fails, whose file's inode (u64) and offset (u64) follow, and how often
 * (u64, 0 for ever); 'f' every sync fails, and what was written since the last one that did not is gone, as it is when the
 * kernel has marked the pages clean and then forgets them [lwn.net/Articles/752063].
 *
 * Entries are in the order of the operations, whatever the thread: one lock is held over operation and entry.
 * SQLite's wal-index (-shm) is left out: it is made anew after a power cut.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE, SYNC, CREATE, UNLINK, RENAME, SYNC_DIR };
enum { MAX_FDS = 65536, PAGE_BYTES = 4096, FAULT_BYTES = 25 };

struct undo {
  struct undo *before;
  uint64_t inode, offset, old_size;
  uint32_t length;
  char bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *directory;
static size_t directory_length;
static int record = -1;
static volatile char *fault;
static struct undo *undos;
/* 1: a file in the directory; 2: the directory. */
static unsigned char watched[MAX_FDS];
static uint64_t watched_inode[MAX_FDS], watched_device[MAX_FDS];

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_ftruncate)(int, off_t);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

static void start_once(void) {
  real_open = dlsym(RTLD_NEXT, "open64");
  real_close = dlsym(RTLD_NEXT, "close");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_read = dlsym(RTLD_NEXT, "read");
  real_pread = dlsym(RTLD_NEXT, "pread64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_rename = dlsym(RTLD_NEXT, "rename");
  directory = getenv("SLUICE_SHIM_DIR");
  directory_length = directory ? strlen(directory) : 0;
  const char *record_file = getenv("SLUICE_SHIM_RECORD");
  if (record_file) record = real_open(record_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const char *fault_file = getenv("SLUICE_SHIM_FAULT");
  int fd = fault_file ? real_open(fault_file, O_RDWR | O_CLOEXEC) : -1;
  if (fd >= 0) fault = mmap(NULL, FAULT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fault == MAP_FAILED) fault = NULL;
}

/* Other libraries open files in their own constructors, maybe before ours would run. */
static void start(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_once);
}

static char fails(void) { return fault && *fault ? *fault : '-'; }

/* The path below the directory, or NULL when it is not there or not to be seen. */
static const char *below(const char *path) {
  start();
  if (!directory || strncmp(path, directory, directory_length) != 0 || path[directory_length] != '/') return NULL;
  size_t length = strlen(path);
  if (length > 4 && strcmp(path + length - 4, "-shm") == 0) return NULL;
  return path + directory_length + 1;
}

static uint64_t inode_of(int fd) {
  struct stat64 status;
  return fstat64(fd, &status) == 0 ? status.st_ino : 0;
}

static int is_watched(int fd) {
  start();
  if (fd < 0 || fd >= MAX_FDS || !watched[fd]) return 0;
  /* Not every close comes by here, and a connection or another file may have the number then. */
  struct stat64 status;
  int is_known = fstat64(fd, &status) == 0;
  if (is_known && (status.st_ino != watched_inode[fd] || status.st_dev != watched_device[fd])) watched[fd] = 0;
  return watched[fd];
}

static uint64_t size_of(int fd) {
  struct stat64 status;
  return fstat64(fd, &status) == 0 ? status.st_size : 0;
}

static void note(uint8_t kind, uint64_t inode, uint64_t offset, const void *bytes, uint32_t length) {
  if (record < 0) return;
  char *entry = malloc(21 + length);
  entry[0] = kind;
  memcpy(entry + 1, &inode, 8);
  memcpy(entry + 9, &offset, 8);
  memcpy(entry + 17, &length, 4);
  if (length > 0) memcpy(entry + 21, bytes, length);
  if (real_write(record, entry, 21 + length) != (ssize_t)(21 + length)) abort();
  free(entry);
}

/* What is there before a write, so that a sync that fails can lose it. */
static void remember(int fd, uint64_t offset, size_t length) {
  if (!fault) return;
  struct undo *undo = malloc(sizeof *undo + length);
  ssize_t got = length > 0 ? real_pread(fd, undo->bytes, length, offset) : 0;
  undo->before = undos;
  undo->inode = inode_of(fd);
  undo->offset = offset;
  undo->old_size = size_of(fd);
  undo->length = got > 0 ? got : 0;
  undos = undo;
}

static void forget(uint64_t inode, int fd, int undoes) {
  for (struct undo **at = &undos; *at;) {
    struct undo *undo = *at;
    if (undo->inode != inode) {
      at = &undo->before;
      continue;
    }
    if (undoes && undo->length > 0 && real_pwrite(fd, undo->bytes, undo->length, undo->offset) < 0) abort();
    if (undoes && real_ftruncate(fd, undo->old_size) < 0) abort();
    *at = undo->before;
    free(undo);
  }
}

static int write_fault(int fd, uint64_t offset, size_t length) {
  switch (fails()) {
    case 's': return offset + length > size_of(fd) ? ENOSPC : 0;
    case 'e': return EIO;
    case 'r': return EROFS;
    default: return 0;
  }
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off_t offset) {
  pthread_mutex_lock(&lock);
  int error = write_fault(fd, offset, length);
  ssize_t written = -1;
  if (!error) {
    remember(fd, offset, length);
    written = real_pwrite(fd, bytes, length, offset);
    error = errno;
    if (written > 0) note(WRITE, inode_of(fd), offset, bytes, written);
  }
  pthread_mutex_unlock(&lock);
  if (written < 0) errno = error;
  return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
  return is_watched(fd) == 1 ? write_at(fd, bytes, length, offset) : real_pwrite(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t write(int fd, const void *bytes, size_t length) {
  if (is_watched(fd) != 1) return real_write(fd, bytes, length);
  off_t at = fcntl(fd, F_GETFL) & O_APPEND ? (off_t)size_of(fd) : lseek64(fd, 0, SEEK_CUR);
  ssize_t written = write_at(fd, bytes, length, at);
  if (written > 0) lseek64(fd, at + written, SEEK_SET);
  return written;
}

/* How many bytes stand before the page of a read that is bad. One that begins in that page counts as a time. */
static size_t before_bad_place(int fd, uint64_t offset, size_t length) {
  uint64_t inode, bad, times;
  memcpy(&inode, (const char *)fault + 1, 8);
  memcpy(&bad, (const char *)fault + 9, 8);
  memcpy(&times, (const char *)fault + 17, 8);
  if (inode != inode_of(fd) || offset >= bad + PAGE_BYTES || bad >= offset + length) return length;
  if (offset < bad) return bad - offset;
  if (times == 1) *fault = '-';
  if (times > 1) times -= 1;
  memcpy((char *)fault + 17, &times, 8);
  return 0;
}

static size_t before_first_page_ends(uint64_t offset, size_t length) {
  size_t left = offset < PAGE_BYTES ? PAGE_BYTES - offset : 0;
  return length < left ? length : left;
}

static int is_bad_file(uint64_t inode) { return memcmp((const char *)fault + 1, &inode, 8) == 0; }

static int is_bad_path(const char *path) {
  struct stat64 status;
  return stat64(path, &status) == 0 && is_bad_file(status.st_ino);
}

/*
 * How much of a read the disk gives before its first bad page. The kernel answers with so much and no error, and with EIO
 * only when that is nothing.
 */
static size_t readable(int fd, uint64_t offset, size_t length) {
  if (is_watched(fd) != 1) return length;
  switch (fails()) {
    case 'i': return 0;
    case 'n': return is_bad_file(inode_of(fd)) ? 0 : length;
    case 'p': return before_first_page_ends(offset, length);
    case 'b': return before_bad_place(fd, offset, length);
    default: return length;
  }
}

static ssize_t fail_to_read(void) {
  errno = EIO;
  return -1;
}

ssize_t pread64(int fd, void *bytes, size_t length, off_t offset) {
  size_t given = readable(fd, offset, length);
  return given == 0 && length > 0 ? fail_to_read() : real_pread(fd, bytes, given, offset);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset) { return pread64(fd, bytes, length, offset); }

ssize_t read(int fd, void *bytes, size_t length) {
  size_t given = is_watched(fd) == 1 ? readable(fd, lseek64(fd, 0, SEEK_CUR), length) : length;
  return given == 0 && length > 0 ? fail_to_read() : real_read(fd, bytes, given);
}

static int sync_with(int (*real)(int), int fd) {
  int kind = is_watched(fd);
  if (!kind) return real(fd);
  pthread_mutex_lock(&lock);
  char failure = fails();
  int result = -1;
  int error = EIO;
  if (failure == 'f') forget(inode_of(fd), fd, 1);
  else if (failure != 'e') {
    result = real(fd);
    error = errno;
    if (result == 0) forget(inode_of(fd), fd, 0);
    if (result == 0) note(kind == 2 ? SYNC_DIR : SYNC, inode_of(fd), 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  if (result < 0) errno = error;
  return result;
}

int fsync(int fd) { return sync_with(real_fsync, fd); }
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }

int ftruncate64(int fd, off_t size) {
  if (is_watched(fd) != 1) return real_ftruncate(fd, size);
  pthread_mutex_lock(&lock);
  int error = write_fault(fd, size, 0);
  int result = -1;
  if (!error) {
    uint64_t old = size_of(fd);
    remember(fd, size, (uint64_t)size < old ? old - size : 0);
    result = real_ftruncate(fd, size);
    error = errno;
    if (result == 0) note(TRUNCATE, inode_of(fd), size, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  if (result < 0) errno = error;
  return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int open_watched(const char *path, int flags, mode_t mode) {
  const char *name = below(path);
  int is_directory = directory && strcmp(path, directory) == 0;
  if (!name && !is_directory) return real_open(path, flags, mode);
  if (fails() == 'r' && (flags & O_ACCMODE) != O_RDONLY) {
    errno = EROFS;
    return -1;
  }
  if (fails() == 'o' && is_bad_path(path)) {
    errno = EIO;
    return -1;
  }
  pthread_mutex_lock(&lock);
  int is_new = name && (flags & O_CREAT) && access(path, F_OK) != 0;
  int fd = real_open(path, flags, mode);
  int error = errno;
  if (fd >= 0 && fd < MAX_FDS) {
    watched[fd] = name ? 1 : 2;
    struct stat64 status;
    fstat64(fd, &status);
    watched_inode[fd] = status.st_ino;
    watched_device[fd] = status.st_dev;
  }
  if (fd >= 0 && is_new) note(CREATE, inode_of(fd), 0, name, strlen(name));
  if (fd >= 0 && name && !is_new && (flags & O_TRUNC)) note(TRUNCATE, inode_of(fd), 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_watched(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return open_watched(path, flags, mode);
}

int close(int fd) {
  start();
  if (fd >= 0 && fd < MAX_FDS) watched[fd] = 0;
  return real_close(fd);
}

int unlink(const char *path) {
  const char *name = below(path);
  if (!name) return real_unlink(path);
  if (fails() == 'r') {
    errno = EROFS;
    return -1;
  }
  pthread_mutex_lock(&lock);
  struct stat64 status;
  int is_there = stat64(path, &status) == 0;
  int result = real_unlink(path);
  int error = errno;
  /* Another file may get the same inode. */
  if (result == 0 && is_there) forget(status.st_ino, -1, 0);
  if (result == 0) note(UNLINK, 0, 0, name, strlen(name));
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int rename(const char *from, const char *to) {
  const char *old_name = below(from);
  const char *new_name = below(to);
  if (!old_name || !new_name) return real_rename(from, to);
  if (fails() == 'r') {
    errno = EROFS;
    return -1;
  }
  size_t old_length = strlen(old_name) + 1;
  size_t length = old_length + strlen(new_name);
  char *names = malloc(length + 1);
  strcpy(names, old_name);
  strcpy(names + old_length, new_name);
  pthread_mutex_lock(&lock);
  int result = real_rename(from, to);
  int error = errno;
  if (result == 0) note(RENAME, 0, 0, names, length);
  pthread_mutex_unlock(&lock);
  free(names);
  errno = error;
  return result;
}
