#define _GNU_SOURCE
#include "pipes.h"

#include <fcntl.h>
#include <unistd.h>

enum {
  PIPE_BYTES = 256 * 1024,  // fewer, larger moves than with the default of 64 KiB; a stalled flow keeps it full
  PIPE_LEAST_BYTES = 64 * 1024,  // over the user's quota pipes come with 4-8 KiB: copying is faster than that
};

static void close_pipe(struct pipes *pipes, struct pipe_ends ends) {
  close(ends.read);
  close(ends.write);
  pipes->count -= 1;
}

bool pipes_take(struct pipes *pipes, struct pipe_ends *ends, uint32_t *bytes) {
  if (pipes->idle_count > 0) {
    *ends = pipes->idle[--pipes->idle_count];
  } else {
    int fds[2];
    if (pipes->count >= pipes->max || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) return false;
    *ends = (struct pipe_ends){.read = fds[0], .write = fds[1]};
    pipes->count += 1;
    fcntl(ends->write, F_SETPIPE_SZ, PIPE_BYTES);  // refused over the user's quota, pipe(7): then it stays as it is
  }
  int size = fcntl(ends->write, F_GETPIPE_SZ);
  if (size >= PIPE_LEAST_BYTES) {
    *bytes = (uint32_t)size;
    return true;
  }
  close_pipe(pipes, *ends);
  return false;
}

void pipes_give(struct pipes *pipes, struct pipe_ends ends, bool empty) {
  if (empty && pipes->idle_count < PIPES_POOLED) pipes->idle[pipes->idle_count++] = ends;
  else close_pipe(pipes, ends);
}

void pipes_drop_idle(struct pipes *pipes) {
  while (pipes->idle_count > 0) close_pipe(pipes, pipes->idle[--pipes->idle_count]);
}
