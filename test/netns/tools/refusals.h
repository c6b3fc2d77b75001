// What the kernel may refuse a relay, or be late with, provoked for this process and the threads that it starts from then on; and how its
// calls of splice(2) have fared. Failures end the process: a test whose condition does not hold must not pass.
#pragma once
#include <stdatomic.h>

// Linked with `--wrap=splice`: calls of splice(2) that moved bytes, and that were refused with EINVAL.
extern atomic_int splices_done, splices_refused;

// From now on splice(2) answers EINVAL.
void refuse_splice(void);
// From now on pipes come with two pages, less than 64 KiB, and cannot be enlarged.
void use_up_pipe_quota(void);
// The same, but for `HELD_PIPE_BYTES`, 1 MiB: it is enough for a few pipes.
void use_up_most_of_pipe_quota(void);
// Linked with `--wrap=epoll_wait`: from now on, until it is released, that call returns nothing. Level-triggered events of
// that time come all at once then; edge-triggered ones may be lost: to be called before there are any.
void hold_epoll(void);
void release_epoll(void);
// Pipe ends that are open in this process.
int open_pipe_ends(void);
// Of these, those of pipes that are larger than the relay usually makes them.
int large_pipe_ends(void);
