// What the files of the relay share: its state, and how it reports. The public face is relay.h.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "admissions.h"
#include "dial.h"
#include "flow.h"
#include "flows.h"
#include "relay.h"

// What waits for a decision is told at once. The rest, ends and what was admitted from memory, is told together: waking the
// other thread for each would cost more than all else that is done for a short flow.
enum urgency { URGENT, NOT_URGENT };
static const uint64_t NOTIFY_LATER_US = 2000;
// How often the memory of flows is looked at: often enough that what comes between stays small once half of it is used.
static const uint64_t SWEEP_US = 1000000, SWEEP_SOON_US = 100000;
static const uint64_t BYTES_PER_KIB = 1024, US_PER_MS = 1000, US_PER_SECOND = 1000000, NS_PER_US = 1000;

// What an epoll event belongs to: a flow's side (slot and generation), or one of these.
enum { TAG_WAKE = 0xffffffff, TAG_LISTENER = 0xfffffffe };  // the upper half says which listener

struct relay {
  struct relay_options options;
  void (*notify)(void *);
  void *argument;
  pthread_t thread;
  int epoll, wake;
  int spare;  // given up to accept a connection that is then reset, when there is no descriptor left; or NO_DESCRIPTOR
  bool accepting, listening;
  uint16_t listener_port[RELAY_LISTENERS];
  uint64_t notify_us;          // when the other thread is to be told of what is not urgent; 0: there is none
  uint64_t accept_again_us;  // 0: not paused for want of descriptors
  uint64_t sweep_us;         // when the flows' memory is to be looked at; 0: there are no flows
  uint32_t undecided, live;
  struct flow_shared shared;
  struct dialler dialler;
  struct admissions admissions;
  struct flow *dial_first, *dial_last;  // oldest first: all have the same time to connect
  struct flow *again;
  struct flows flows;
  _Atomic uint32_t epoch;
  // Behind flows.lock: what the other thread has asked for.
  struct relay_command *commands;
  size_t command_count, command_room;
  bool stop_accepting, stop;
};

static inline uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * US_PER_SECOND + (uint64_t)now.tv_nsec / NS_PER_US;
}

static inline void relay_notify(struct relay *relay) {
  relay->notify_us = 0;
  if (flows_notify(&relay->flows)) relay->notify(relay->argument);
}

static inline void relay_report(struct relay *relay, struct flow *flow, enum relay_event_kind kind, enum urgency urgency) {
  flows_post(&relay->flows, flow, kind);
  if (urgency == URGENT) relay_notify(relay);
  else if (relay->notify_us == 0) relay->notify_us = now_us() + NOTIFY_LATER_US;
}

// ---- relay_accept.c

void relay_set_accepting(struct relay *relay, bool accepting);
void relay_resume_accepting(struct relay *relay);
void relay_close_listeners(struct relay *relay);
void relay_keep_spare(struct relay *relay);
void relay_accept_some(struct relay *relay, uint32_t listeners, int at_most);

// ---- relay_flow.c

void relay_end_flow(struct relay *relay, struct flow *flow, enum relay_end how, int error);
void relay_dial(struct relay *relay, struct flow *flow);
void relay_begin_dial(struct relay *relay, struct flow *flow);
void relay_connected(struct relay *relay, struct flow *flow);

// ---- relay_commands.c

bool relay_obey(struct relay *relay);
void relay_ask(struct relay *relay, bool *flag);

// ---- relay_upkeep.c

void relay_look_at_flows(struct relay *relay, uint64_t now);

// ---- relay_loop.c

void *relay_run(void *argument);
