#define _GNU_SOURCE
#include "refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  LOOK_AGAIN_US = 1000,
  FIRST_UID = 1 << 24,  // far from any user's; the process's id makes it one that no other process has
  WANTED_PIPE_BYTES = 64 * 1024,
  HELD_PIPE_BYTES = 1 << 20,
  USUAL_PIPE_BYTES = 256 * 1024,
  HELD_PIPES = 4096,  // many times the usual quota of 64 MiB
  DESCRIPTORS = 1 << 16,  // more than are ever open: they are given from the lowest on
};

atomic_int splices_done, splices_refused;

ssize_t __real_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t count, unsigned flags);
ssize_t __wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t count, unsigned flags);

ssize_t __wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t count, unsigned flags) {
  ssize_t moved = __real_splice(from, from_at, to, to_at, count, flags);
  if (moved > 0) splices_done++;
  if (moved < 0 && errno == EINVAL) splices_refused++;
  return moved;
}

static atomic_bool epoll_held;

int __real_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms);

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms) {
  int count = __real_epoll_wait(epoll, events, max, timeout_ms);
  if (!epoll_held) return count;
  while (epoll_held) usleep(LOOK_AGAIN_US);
  return __real_epoll_wait(epoll, events, max, timeout_ms);
}

void hold_epoll(void) { epoll_held = true; }
void release_epoll(void) { epoll_held = false; }

static void fail(const char *what) {
  perror(what);
  exit(1);
}

void refuse_splice(void) {
  struct sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_splice, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail("PR_SET_NO_NEW_PRIVS");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) fail("PR_SET_SECCOMP");
}

// The quota is a user's and does not hold for two capabilities, pipe(7): becomes another user without these.
static void become_subject_to_quota(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
  uid_t uid = FIRST_UID + (uid_t)getpid();
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresuid(uid, uid, uid) < 0) fail("setresuid");
  if (syscall(SYS_capget, &header, sets) < 0) fail("capget");
  sets[0].permitted &= ~(1u << CAP_SYS_RESOURCE | 1u << CAP_SYS_ADMIN);
  for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) sets[i].effective = sets[i].permitted;
  if (syscall(SYS_capset, &header, sets) < 0) fail("capset");
}

static int first_held[2];

void use_up_pipe_quota(void) {
  become_subject_to_quota();
  for (int held = 0; held < HELD_PIPES; held++) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) fail("pipe2");
    int size = fcntl(fds[1], F_GETPIPE_SZ);
    if (size < 0) fail("F_GETPIPE_SZ");
    if (size < WANTED_PIPE_BYTES) return;
    if (held == 0) memcpy(first_held, fds, sizeof fds);
    fcntl(fds[1], F_SETPIPE_SZ, HELD_PIPE_BYTES);  // refused where it would exceed the quota: then more pipes do
  }
  fprintf(stderr, "no end of pipes: /proc/sys/fs/pipe-user-pages-soft must be neither 0 nor large\n");
  exit(1);
}

void use_up_most_of_pipe_quota(void) {
  use_up_pipe_quota();
  close(first_held[0]);
  close(first_held[1]);
}

static int pipe_ends_over(int bytes) {
  int ends = 0;
  for (int fd = 0; fd < DESCRIPTORS; fd++) ends += fcntl(fd, F_GETPIPE_SZ) > bytes;
  return ends;
}

int open_pipe_ends(void) { return pipe_ends_over(0); }

int large_pipe_ends(void) { return pipe_ends_over(USUAL_PIPE_BYTES); }
