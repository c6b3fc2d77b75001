// Looks at the memory that flows hold, and finds those to end when it is too much: of the flows that hold enough to matter,
// those that moved least since the last look, which are those whose readers have stalled.
#pragma once
#include <stdint.h>

#include "flows.h"

struct sweep_victims {
  struct flow **flows;  // to be freed
  uint32_t count;
};

// Measures every flow that relays. Returns bytes held by all; where that is over `most`, fills in which to end so that the rest
// holds less than it by an eighth. Without memory to choose with, there are none.
uint64_t sweep(struct flows *all, uint64_t most, struct sweep_victims *victims);
