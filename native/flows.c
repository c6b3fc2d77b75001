#include "flows.h"

#include <stdlib.h>
#include <string.h>

void flows_init(struct flows *all) { pthread_mutex_init(&all->lock, NULL); }

void flows_free(struct flows *all) {
  for (size_t i = 0; i < FLOWS_CHUNKS && all->chunks[i] != NULL; i++) free(all->chunks[i]);
  pthread_mutex_destroy(&all->lock);
}

static void append(struct flow **first, struct flow **last, struct flow *flow) {
  flow->next_event = NULL;
  if (*first == NULL) *first = flow;
  else (*last)->next_event = flow;
  *last = flow;
}

static struct flow *shift(struct flow **first) {
  struct flow *flow = *first;
  if (flow != NULL) *first = flow->next_event;
  return flow;
}

static bool make_chunk(struct flows *all) {
  uint32_t chunk = all->made / FLOWS_CHUNK;
  if (chunk == FLOWS_CHUNKS) return false;
  all->chunks[chunk] = calloc(FLOWS_CHUNK, sizeof(struct flow));
  if (all->chunks[chunk] == NULL) return false;
  for (uint32_t i = 0; i < FLOWS_CHUNK; i++) {
    struct flow *flow = &all->chunks[chunk][i];
    flow->slot = all->made++;
    flow->fd[SOURCE] = flow->fd[DESTINATION] = NO_DESCRIPTOR;
    append(&all->free_first, &all->free_last, flow);
  }
  return true;
}

struct flow *flows_take(struct flows *all) {
  pthread_mutex_lock(&all->lock);
  struct flow *flow = NULL;
  if (all->free_first != NULL || make_chunk(all)) {
    flow = shift(&all->free_first);
    uint32_t slot = flow->slot, generation = flow->generation + 1;
    memset(flow, 0, sizeof *flow);
    flow->slot = slot;
    flow->generation = generation;
    flow->fd[SOURCE] = flow->fd[DESTINATION] = NO_DESCRIPTOR;
  }
  pthread_mutex_unlock(&all->lock);
  return flow;
}

struct flow *flows_find(struct flows *all, uint32_t slot, uint32_t generation) {
  pthread_mutex_lock(&all->lock);
  struct flow *flow = slot < all->made ? flows_at(all, slot) : NULL;
  if (flow != NULL && (flow->generation != generation || atomic_load(&flow->state) == FLOW_FREE)) flow = NULL;
  pthread_mutex_unlock(&all->lock);
  return flow;
}

void flows_post(struct flows *all, struct flow *flow, enum relay_event_kind kind) {
  pthread_mutex_lock(&all->lock);
  if (flow->events == 0) {
    append(&all->event_first, &all->event_last, flow);
    all->event_count += 1;
    all->posted += 1;
  }
  flow->events |= (uint8_t)(1u << kind);
  pthread_mutex_unlock(&all->lock);
}

void flows_post_accept_error(struct flows *all, int error) {
  pthread_mutex_lock(&all->lock);
  all->accept_error = error;
  pthread_mutex_unlock(&all->lock);
}

void flows_post_caught_up(struct flows *all) {
  pthread_mutex_lock(&all->lock);
  all->catching_up = true;
  all->catch_up = all->posted;
  pthread_mutex_unlock(&all->lock);
}

bool flows_notify(struct flows *all) {
  pthread_mutex_lock(&all->lock);
  bool waits = all->event_first != NULL || all->accept_error != 0 || all->catching_up;
  bool needed = !all->notified && waits;
  if (needed) all->notified = true;
  pthread_mutex_unlock(&all->lock);
  return needed;
}

uint32_t flows_waiting(struct flows *all) {
  pthread_mutex_lock(&all->lock);
  uint32_t count = all->event_count;
  pthread_mutex_unlock(&all->lock);
  return count;
}

static struct relay_event event_of(const struct flow *flow, enum relay_event_kind kind) {
  struct relay_event event = {.kind = kind, .slot = flow->slot, .generation = flow->generation, .flags = flow->flags};
  if (kind == RELAY_ACCEPTED) {
    event.as.accepted.source_port = flow->port[SOURCE];
    event.as.accepted.destination_port = flow->port[DESTINATION];
    event.as.accepted.epoch = flow->epoch;
    memcpy(event.as.accepted.source, flow->address[SOURCE], RELAY_ADDRESS_BYTES);
    memcpy(event.as.accepted.destination, flow->address[DESTINATION], RELAY_ADDRESS_BYTES);
    return event;
  }
  event.as.ended.end = flow->end;
  event.as.ended.error = flow->error;
  event.as.ended.sent = atomic_load_explicit(&flow->way[SOURCE].bytes, memory_order_relaxed);
  event.as.ended.received = atomic_load_explicit(&flow->way[DESTINATION].bytes, memory_order_relaxed);
  event.as.ended.duration_us = flow->ended_us - flow->started_us;
  return event;
}

static const uint8_t ACCEPTED_BIT = 1u << RELAY_ACCEPTED, ENDED_BIT = 1u << RELAY_ENDED;

static size_t take_caught_up(struct flows *all, struct relay_event *events, size_t room) {
  if (!all->catching_up || all->taken < all->catch_up || room == 0) return 0;
  all->catching_up = false;
  *events = (struct relay_event){.kind = RELAY_CAUGHT_UP};
  return 1;
}

size_t flows_take_events(struct flows *all, struct relay_event *events, size_t max) {
  size_t count = 0;
  pthread_mutex_lock(&all->lock);
  if (all->accept_error != 0 && count < max) {
    events[count++] = (struct relay_event){.kind = RELAY_ACCEPT_FAILED, .as.ended.error = all->accept_error};
    all->accept_error = 0;
  }
  count += take_caught_up(all, events + count, max - count);  // not last: more may come all the time
  while (count < max && all->event_first != NULL) {
    struct flow *flow = all->event_first;
    if (flow->events & ACCEPTED_BIT) {
      events[count++] = event_of(flow, RELAY_ACCEPTED);
      flow->events &= (uint8_t)~ACCEPTED_BIT;
      if (flow->events != 0) continue;  // its end as well, if there is room
    } else {
      events[count++] = event_of(flow, RELAY_ENDED);
      flow->events &= (uint8_t)~ENDED_BIT;
    }
    shift(&all->event_first);
    all->event_count -= 1;
    all->taken += 1;
    if (events[count - 1].kind != RELAY_ENDED) continue;
    atomic_store(&flow->state, FLOW_FREE);
    append(&all->free_first, &all->free_last, flow);
  }
  count += take_caught_up(all, events + count, max - count);
  if (count < max) all->notified = false;
  pthread_mutex_unlock(&all->lock);
  return count;
}
