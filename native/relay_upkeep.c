// Once a second, or more often while flows hold much: ends those over which nothing passes, and those that stall while all hold
// too much memory.
#include <stdlib.h>

#include "relay_internal.h"
#include "sweep.h"

static void end_idle(struct relay *relay, uint64_t now) {
  uint64_t limit = relay->options.idle_seconds * US_PER_SECOND;
  for (uint32_t slot = 0; slot < relay->flows.made; slot++) {
    struct flow *flow = flows_at(&relay->flows, slot);
    if (atomic_load_explicit(&flow->state, memory_order_relaxed) != FLOW_RELAYING) continue;
    uint64_t moved = flow_moved(flow);
    if (flow->moved_us == 0 || moved != flow->moved_bytes) {
      flow->moved_us = now;
      flow->moved_bytes = moved;
    } else if (now - flow->moved_us >= limit) {
      relay_end_flow(relay, flow, RELAY_END_IDLE, 0);
    }
  }
}

void relay_look_at_flows(struct relay *relay, uint64_t now) {
  if (relay->options.idle_seconds != 0) end_idle(relay, now);
  uint64_t most = (uint64_t)relay->options.max_held_kib * BYTES_PER_KIB;
  struct sweep_victims victims;
  uint64_t held = sweep(&relay->flows, most, &victims);
  for (uint32_t i = 0; i < victims.count; i++) relay_end_flow(relay, victims.flows[i], RELAY_END_STALLED, 0);
  free(victims.flows);
  if (relay->live == 0) pipes_drop_large(&relay->shared.pipes);
  relay->sweep_us = relay->live == 0 ? 0 : now + (held > most / 2 ? SWEEP_SOON_US : SWEEP_US);
}
