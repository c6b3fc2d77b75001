// A bounded pool of empty pipes for splice(2).
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
  PIPES_POOLED = 32,
  // Of twice the size, for what has proved to be bulk: one direction of one flow each. The user's quota of pipes, 64 MiB by default,
  // is shared by all sidecars of a node: those of one thread take 4 MiB of it. More streams at once are bound by the processors, not by moves.
  LARGE_PIPES = 8,
};

struct pipe_ends {
  int read, write;
  uint32_t bytes;  // size
};

struct pipes {
  struct pipe_ends idle[PIPES_POOLED], idle_large[LARGE_PIPES];
  uint32_t idle_count, idle_large_count;
  uint32_t count, max;   // all pipes: idle and lent, large or not
  uint32_t large_count;  // those of them that are large
};

// Lends an empty pipe of at least 64 KiB. A large one if that is wished, the quota lets it, and there are not LARGE_PIPES already. False
// when there is none to be had: then copy.
bool pipes_take(struct pipes *pipes, bool large, struct pipe_ends *ends);
bool pipe_is_large(struct pipe_ends ends);
// Takes back a pipe. One that still holds bytes is destroyed: they would come out in another flow.
void pipes_give(struct pipes *pipes, struct pipe_ends ends, bool empty);
// Closes the idle ones, to free descriptors.
void pipes_drop_idle(struct pipes *pipes);
// Closes the idle large ones, to free the quota.
void pipes_drop_large(struct pipes *pipes);
