// One flow of the relay: two sockets and what is on its way between them.
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipes.h"
#include "relay.h"

enum { SOURCE = 0, DESTINATION = 1, SIDES = 2, NO_DESCRIPTOR = -1 };

// How large the buffers of a flow are; see buffers.h.
enum flow_buffers { BUFFERS_FIRST, BUFFERS_LIMITED, BUFFERS_WIDE };

// The relay's thread moves a flow on. The last step alone, from FLOW_ENDED to FLOW_FREE, is the other thread's: it takes the end.
enum flow_state {
  FLOW_FREE,      // of no connection: in the free list
  FLOW_WAITING,   // accepted; nothing is read until it is admitted or ended
  FLOW_DIALLING,  // admitted; the destination is being connected
  FLOW_RELAYING,  // both sides are connected
  FLOW_ENDED,     // nothing is open; its end waits to be taken
};

// Bytes from one side to the other. At most one of `rest` and `piped` is in use.
struct way {
  char *rest;  // copied, not yet sent
  uint32_t rest_at, rest_bytes;
  bool rest_urgent;  // it is one byte of urgent data
  struct pipe_ends pipe;  // of no bytes while none is lent
  uint32_t piped;       // in the pipe, not yet sent
  bool bulk;            // full buffers have been seen: splice
  uint8_t fills;        // moves that have filled the pipe, as far as they are counted: then a large one
  bool ended, shut;     // end of stream read; passed on
  _Atomic uint64_t bytes;  // passed on; written by the relay's thread only
};

struct flow {
  uint32_t slot, generation;  // the slot has had so many flows: together they name this one and no other
  _Atomic uint8_t state;
  uint8_t flags;   // RELAY_IPV6, RELAY_REMEMBERED
  uint32_t epoch;  // when it was accepted
  uint8_t events;  // 1 << relay_event_kind, still to be taken; behind flows.lock
  uint8_t end;     // relay_end
  int32_t error;
  int fd[SIDES];
  bool readable[SIDES], writable[SIDES];
  bool wary[SIDES];  // a short read does not mean an empty socket: end of stream, or urgent data
  bool urgent[SIDES];  // urgent data has been announced: a read may be about to reach it
  uint8_t buffers;  // flow_buffers
  bool near;        // the client's leg is limited as well
  uint64_t swept_bytes;  // both ways together, when memory was last looked at
  bool again;  // in the list of flows that have used up their turn
  uint16_t port[SIDES];
  uint8_t address[SIDES][RELAY_ADDRESS_BYTES];
  uint64_t moved_us, moved_bytes;  // when bytes were last seen to pass, and how many had then; used where idle flows end
  uint64_t started_us, dialled_us, ended_us;
  struct way way[SIDES];  // way[s] leads from side s to the other
  struct flow *next_event;  // also the free list; behind flows.lock
  struct flow *next_again;
  struct flow *next_dial, *previous_dial;
};

enum { FLOW_BUFFER_BYTES = 64 * 1024 };  // one read of bulk without a pipe

// What flows share; belongs to the relay's thread.
struct flow_shared {
  struct pipes pipes;
  char *buffer;  // of FLOW_BUFFER_BYTES; nothing stays there between two calls
};

enum pump_result { PUMP_IDLE, PUMP_AGAIN, PUMP_BROKEN_SOURCE, PUMP_BROKEN_DESTINATION };

// Moves what can be moved from `side` to the other. PUMP_AGAIN: its turn is used up, there is more.
enum pump_result flow_pump(struct flow *flow, int side, struct flow_shared *shared);
// Both sides have finished and all has been passed on.
bool flow_finished(const struct flow *flow);
// Closes one side's socket; `reset` sends RST and drops what is unsent.
void flow_close(struct flow *flow, int side, bool reset);
// Resets one side's connection now, and leaves its socket open: to close it takes as long again, and others are to be reset first.
void flow_reset(struct flow *flow, int side);
// Bytes of memory that the flow holds: in its sockets' queues, its pipes and what was copied.
uint64_t flow_held(const struct flow *flow);
// Bytes passed on so far, both ways together.
uint64_t flow_moved(const struct flow *flow);
// Gives back the buffers and pipes.
void flow_release(struct flow *flow, struct flow_shared *shared);
