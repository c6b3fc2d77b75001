#include "sweep.h"

#include <stdlib.h>

// Of a flow that holds less, ending it would bring nothing.
static const uint64_t WORTH_BYTES = 16 * 1024;

struct candidate {
  struct flow *flow;
  uint64_t held, moved;
};

// Those that moved least come first; of equal ones that which holds most.
static int by_stall(const void *a, const void *b) {
  const struct candidate *one = a, *other = b;
  if (one->moved != other->moved) return one->moved < other->moved ? -1 : 1;
  return one->held > other->held ? -1 : one->held < other->held;
}

uint64_t sweep(struct flows *all, uint64_t most, struct sweep_victims *victims) {
  *victims = (struct sweep_victims){0};
  struct candidate *candidates = malloc(all->made * sizeof *candidates);
  uint32_t count = 0;
  uint64_t total = 0;
  for (uint32_t slot = 0; slot < all->made; slot++) {
    struct flow *flow = flows_at(all, slot);
    if (atomic_load_explicit(&flow->state, memory_order_relaxed) != FLOW_RELAYING) continue;
    uint64_t held = flow_held(flow), bytes = flow_moved(flow);
    if (candidates != NULL && held >= WORTH_BYTES)
      candidates[count++] = (struct candidate){.flow = flow, .held = held, .moved = bytes - flow->swept_bytes};
    flow->swept_bytes = bytes;
    total += held;
  }
  if (total > most && count > 0) victims->flows = malloc(count * sizeof(struct flow *));
  if (victims->flows != NULL) {
    qsort(candidates, count, sizeof *candidates, by_stall);
    uint64_t left = total;
    for (uint32_t i = 0; i < count && left > most - most / 8; i++) {
      victims->flows[victims->count++] = candidates[i].flow;
      left -= candidates[i].held;
    }
  }
  free(candidates);
  return total;
}
