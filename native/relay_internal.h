// What the files of the relay share: its state, and what each of them offers the others. The public face is relay.h.
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

// What waits for a decision is reported at once. The rest, ends and what was admitted from memory, is reported together: waking
// the other thread for each would cost more than all else that is done for a short flow.
enum urgency { URGENT, NOT_URGENT };
static const uint64_t NOTIFY_LATER_US = 2000;
// How often the memory of flows is looked at: often enough that what comes between stays small once half of it is used.
static const uint64_t SWEEP_US = 1000000, SWEEP_SOON_US = 100000;
static const uint64_t BYTES_PER_KIB = 1024, US_PER_MS = 1000, US_PER_SECOND = 1000000, NS_PER_US = 1000;
// Connections that wait for a decision; more wait in the kernel's backlog, where they cost no descriptor.
enum { UNDECIDED_MAX = 128 };
// From the kernel's word that it has new rules until no SYN that was judged by the old ones is answered any more. It takes no longer
// than a packet; a virtual processor may stand still meanwhile.
static const uint64_t GATE_CHANGE_US = 1000000;

// What an epoll event belongs to: a flow's side (slot and generation), or one of these.
enum { TAG_WAKE = 0xffffffff, TAG_LISTENER = 0xfffffffe };  // the upper half says which listener

// While the relay's thread runs this belongs to it, but for what is marked otherwise; before and after, to the other thread.
struct relay {
  struct relay_options options;  // `listeners` are duplicates: the relay's own
  void (*notify)(void *);
  void *argument;    // of `notify`
  pthread_t thread;  // the other thread's
  int epoll;
  int wake;        // an eventfd: the other thread writes, the loop reads
  int spare;       // given up to accept a connection that is then reset, when there is no descriptor left; or NO_DESCRIPTOR
  bool listening;  // the listeners are open
  bool accepting;  // and watched
  uint16_t listener_port[RELAY_LISTENERS];
  uint64_t notify_us;        // when the other thread is to hear of what is not urgent; 0: there is none
  uint64_t accept_again_us;  // 0: not paused for want of descriptors, memory or watches
  uint64_t sweep_us;         // when the flows' memory is to be looked at; 0: there are no flows
  uint32_t undecided;        // flows in FLOW_WAITING
  uint32_t live;             // flows that are neither FLOW_FREE nor FLOW_ENDED
  struct flow_shared shared;
  struct dialler dialler;
  struct admissions admissions;
  struct flow *dial_first, *dial_last;  // oldest first: all have the same time to connect
  struct flow *again;                   // flows that have used up their turn, and go on in the next
  struct flows flows;                   // has a lock of its own; see flows.h
  _Atomic uint32_t epoch;               // the other thread counts it up, and admissions of before count no more
  _Atomic uint32_t gate_epoch;          // the gate judges by the table of this epoch; 0: of none
  _Atomic uint64_t gate_since_us;       // and does so since then; written before `gate_epoch`
  uint64_t drained_us[RELAY_LISTENERS];  // when nothing waited at a listener last: what it has now was connected later
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

// Wakes the other thread if there is something to take that it has not been woken for.
static inline void relay_notify(struct relay *relay) {
  relay->notify_us = 0;
  if (flows_notify(&relay->flows)) relay->notify(relay->argument);
}

// Reports an event of a flow, which must be filled in before.
static inline void relay_report(struct relay *relay, struct flow *flow, enum relay_event_kind kind, enum urgency urgency) {
  flows_post(&relay->flows, flow, kind);
  if (urgency == URGENT) relay_notify(relay);
  else if (relay->notify_us == 0) relay->notify_us = now_us() + NOTIFY_LATER_US;
}

// ---- relay_accept.c: listeners, and what is accepted from them

// Duplicates the listeners of the options, which stay their owner's, and sets the duplicates up. False with errno when there is
// no descriptor for one.
bool relay_open_listeners(struct relay *relay);
// Resets what still waits there. The only place where listeners are closed; does nothing the second time.
void relay_close_listeners(struct relay *relay);
// Whether the loop watches the listeners. Where that fails, it is tried again after a pause.
void relay_set_accepting(struct relay *relay, bool accepting);
// Accepts again, unless too many connections wait for a decision still, or the pause of `accept_again_us` lasts.
static inline void relay_resume_accepting(struct relay *relay) {
  if (relay->undecided < UNDECIDED_MAX / 2 && relay->accept_again_us == 0) relay_set_accepting(relay, true);
}
// Makes the spare descriptor where it is missing and there is one to be had.
void relay_keep_spare(struct relay *relay);
// Accepts from each listener that has a bit in `listeners`, at most so many of one, and until accepting pauses.
void relay_accept_some(struct relay *relay, uint32_t listeners, int at_most);

// ---- relay_flow.c: the life of a flow

// FLOW_WAITING to FLOW_DIALLING. The flow may have ended when this returns.
void relay_begin_dial(struct relay *relay, struct flow *flow);
// Dials, or dials once more. The flow may have ended when this returns.
void relay_dial(struct relay *relay, struct flow *flow);
// FLOW_DIALLING to FLOW_RELAYING. The flow may have ended when this returns.
void relay_connected(struct relay *relay, struct flow *flow);
// To FLOW_ENDED, from any state between FLOW_FREE and it: closes both sockets and gives back all that the flow has. From then
// on the flow belongs to the other thread, which frees it by taking its end.
void relay_end_flow(struct relay *relay, struct flow *flow, enum relay_end how, int error);

// ---- relay_commands.c

// Does what the other thread has asked for. False when the relay is to stop.
bool relay_obey(struct relay *relay);
// For the other thread: sets one of the flags of `relay`, and wakes the loop to look at it.
void relay_ask(struct relay *relay, bool *flag);

// ---- relay_upkeep.c

// To be called when `sweep_us` is due. Ends flows that are idle, and some of those that stall when all hold too much; says in
// `sweep_us` when it is due again.
void relay_look_at_flows(struct relay *relay, uint64_t now);

// ---- relay_loop.c

// The thread. `argument` is the relay.
void *relay_run(void *argument);
