#define _GNU_SOURCE
#include "pipes.h"

#include <fcntl.h>
#include <unistd.h>

enum {
  PIPE_BYTES = 256 * 1024,  // fewer, larger moves than with the default of 64 KiB; a stalled flow keeps it full
  LARGE_PIPE_BYTES = 512 * 1024,
  PIPE_LEAST_BYTES = 64 * 1024,  // over the user's quota pipes come with 4-8 KiB: copying is faster than that
};

bool pipe_is_large(struct pipe_ends ends) { return ends.bytes >= LARGE_PIPE_BYTES; }

static void close_pipe(struct pipes *pipes, struct pipe_ends ends) {
  close(ends.read);
  close(ends.write);
  pipes->count -= 1;
  if (pipe_is_large(ends)) pipes->large_count -= 1;
}

static bool make_pipe(struct pipes *pipes, struct pipe_ends *ends) {
  int fds[2];
  if (pipes->count >= pipes->max) pipes_drop_large(pipes);
  if (pipes->count >= pipes->max || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) return false;
  *ends = (struct pipe_ends){.read = fds[0], .write = fds[1]};
  pipes->count += 1;
  fcntl(ends->write, F_SETPIPE_SZ, PIPE_BYTES);  // refused over the user's quota, pipe(7): then it stays as it is
  int size = fcntl(ends->write, F_GETPIPE_SZ);
  if (size >= PIPE_LEAST_BYTES) {
    ends->bytes = (uint32_t)size;
    return true;
  }
  close_pipe(pipes, *ends);
  return false;
}

bool pipes_take(struct pipes *pipes, bool large, struct pipe_ends *ends) {
  if (large && pipes->idle_large_count > 0) {
    *ends = pipes->idle_large[--pipes->idle_large_count];
    return true;
  }
  if (pipes->idle_count > 0) *ends = pipes->idle[--pipes->idle_count];
  else if (!make_pipe(pipes, ends)) return false;
  if (!large || pipes->large_count >= LARGE_PIPES) return true;
  int size = fcntl(ends->write, F_SETPIPE_SZ, LARGE_PIPE_BYTES);  // refused over the quota, as above
  if (size < LARGE_PIPE_BYTES) return true;
  ends->bytes = (uint32_t)size;
  pipes->large_count += 1;
  return true;
}

void pipes_give(struct pipes *pipes, struct pipe_ends ends, bool empty) {
  if (!empty) close_pipe(pipes, ends);
  else if (pipe_is_large(ends)) pipes->idle_large[pipes->idle_large_count++] = ends;  // no more than there may be
  else if (pipes->idle_count < PIPES_POOLED) pipes->idle[pipes->idle_count++] = ends;
  else close_pipe(pipes, ends);
}

void pipes_drop_large(struct pipes *pipes) {
  while (pipes->idle_large_count > 0) close_pipe(pipes, pipes->idle_large[--pipes->idle_large_count]);
}

void pipes_drop_idle(struct pipes *pipes) {
  while (pipes->idle_count > 0) close_pipe(pipes, pipes->idle[--pipes->idle_count]);
  pipes_drop_large(pipes);
}
