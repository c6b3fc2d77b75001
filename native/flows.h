// All flows of a relay, by slot, and the events that wait to be taken. Every function takes the lock itself, but for those that
// say otherwise.
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"

enum { FLOWS_CHUNK = 256, FLOWS_CHUNKS = 4096 };  // about a million flows, made as they are needed, never moved

// Behind the lock, which also guards the relay's commands. The relay's thread reads `chunks` and `made` without it: nobody else
// writes them.
struct flows {
  pthread_mutex_t lock;
  struct flow *chunks[FLOWS_CHUNKS];
  uint32_t made;  // slots: all below it have a flow, free or not
  struct flow *free_first, *free_last;  // first in, first out: a slot's generations are far apart in time
  struct flow *event_first, *event_last;
  uint32_t event_count;  // flows with events
  uint64_t posted, taken;  // the same, of all time: who came first is taken first
  uint64_t catch_up;       // RELAY_CAUGHT_UP is due when so many have been taken
  bool catching_up;
  int accept_error;      // errno of the last failed accept that was not taken yet, or 0
  bool notified;         // the taker has been notified, and has not taken all since
};

// Before the relay's thread starts, and after it has ended.
void flows_init(struct flows *all);
void flows_free(struct flows *all);
// A fresh flow, or NULL for want of memory or slots. For the relay's thread: the flow is its own until it is FLOW_ENDED.
struct flow *flows_take(struct flows *all);
// The flow with this generation, or NULL. Only its atomic fields may be read by other threads.
struct flow *flows_find(struct flows *all, uint32_t slot, uint32_t generation);
// The flow of a slot below `made`, of any generation and state. For the relay's thread, or behind the lock.
static inline struct flow *flows_at(const struct flows *all, uint32_t slot) {
  return &all->chunks[slot / FLOWS_CHUNK][slot % FLOWS_CHUNK];
}
// Posts an event of a flow, which must be filled in before.
void flows_post(struct flows *all, struct flow *flow, enum relay_event_kind kind);
void flows_post_accept_error(struct flows *all, int error);
// Posts RELAY_CAUGHT_UP.
void flows_post_caught_up(struct flows *all);
// Whether the taker has to be notified now: events wait, and it has not been notified since it last took all of them.
bool flows_notify(struct flows *all);
// Flows with events that wait.
uint32_t flows_waiting(struct flows *all);
// See relay_take. A flow whose end has been taken is free.
size_t flows_take_events(struct flows *all, struct relay_event *events, size_t max);
