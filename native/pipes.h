// A bounded pool of empty pipes for splice(2).
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { PIPES_POOLED = 32 };

struct pipe_ends {
  int read, write;
};

struct pipes {
  struct pipe_ends idle[PIPES_POOLED];
  uint32_t idle_count;
  uint32_t count, max;  // all pipes: idle and lent
};

// Lends an empty pipe of at least 64 KiB; its size is `*bytes`. False when there is none to be had: then copy.
bool pipes_take(struct pipes *pipes, struct pipe_ends *ends, uint32_t *bytes);
// Takes back a pipe. One that still holds bytes is destroyed: they would come out in another flow.
void pipes_give(struct pipes *pipes, struct pipe_ends ends, bool empty);
// Closes the idle ones, to free descriptors.
void pipes_drop_idle(struct pipes *pipes);
