// The native relay: accepts, dials and relays TCP flows on a thread of its own. It decides nothing: each accepted
// connection waits until it is admitted, reset or finished, unless a remembered admission covers it; each may be reset at any
// time. The protocol as a drawing: docs/internals/native-relay.md.
//
// Threads: one other thread may call the functions below (in Node, the main thread). Flows, sockets and pipes belong to the
// relay's thread. A flow that has ended belongs to the other thread until that has taken its end. What both threads touch is
// behind `flows.lock` or atomic.
//
// Descriptors: the relay owns its duplicates of the listeners, every socket it accepts or makes, and its pipes. Each kind is
// closed in one place: sockets of flows in flow.c (`flow_close`), a socket that never gets a flow where it was made, pipes in
// pipes.c, listeners in relay_accept.c, the rest in relay.c. The spare one is also closed where it is used, in relay_accept.c.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RELAY_LISTENERS = 32, RELAY_ADDRESS_BYTES = 16 };  // at most so many; a bit for each
enum { RELAY_OWN_PORTS = 2 };

struct relay_options {
  uint32_t first_port, last_port;  // of the app leg, inclusive
  uint32_t mark;                   // SO_MARK of the app leg
  uint32_t connect_timeout_ms;
  uint32_t keepalive_seconds;           // silence of a source before it is probed
  uint32_t keepalive_interval_seconds;  // between probes
  uint32_t keepalive_probes;            // without an answer: then the source is given up, ETIMEDOUT
  uint32_t max_flows;  // beyond it nothing is admitted from memory
  uint32_t max_pipes;  // two descriptors each; without one, bytes are copied
  uint32_t max_untaken;  // of flows whose events wait to be taken: beyond it nothing is admitted from memory
  uint32_t max_held_kib;  // of memory in flows' buffers: beyond it those that stall are ended
  uint32_t idle_seconds;  // a flow over which nothing passes for so long is ended; 0: never
  uint32_t own_ports[RELAY_OWN_PORTS];  // the sidecar's own, beside those of listeners: no gate admits to these
  uint32_t listener_count;
  int listeners[RELAY_LISTENERS];  // listening, non-blocking, transparent; duplicated: they stay the caller's
};

enum relay_event_kind { RELAY_ACCEPTED = 1, RELAY_ENDED = 2, RELAY_ACCEPT_FAILED = 3, RELAY_CAUGHT_UP = 4 };
enum relay_end {
  RELAY_END_CLOSED = 1,       // both sides have finished, or by RELAY_FINISH
  RELAY_END_SOURCE,           // the source's side broke
  RELAY_END_DESTINATION,      // the destination's side broke
  RELAY_END_UNREACHABLE,      // the destination did not accept; `error` says why
  RELAY_END_SHORTAGE,         // no descriptor, port or memory for the dial
  RELAY_END_DIAL_FAILED,      // no socket could be made, for another reason
  RELAY_END_RESET,            // by RELAY_RESET
  RELAY_END_STALLED,          // it stood still while flows' buffers were over max_held_kib
  RELAY_END_IDLE,             // nothing passed for idle_seconds
};
enum { RELAY_IPV6 = 1, RELAY_REMEMBERED = 2 };

// 64 bytes, no padding: JavaScript reads it from a buffer.
struct relay_event {
  uint32_t kind, slot, generation;
  uint32_t flags;  // accepted: RELAY_IPV6, RELAY_REMEMBERED
  union {
    struct {
      uint16_t source_port, destination_port;
      uint32_t epoch;  // when it was accepted: under which it was remembered
      uint8_t source[RELAY_ADDRESS_BYTES], destination[RELAY_ADDRESS_BYTES];  // IPv4 in the first 4
    } accepted;
    struct {
      uint32_t end;
      int32_t error;  // errno or 0
      uint64_t sent, received, duration_us;
    } ended;
    uint8_t bytes[48];
  } as;
};
_Static_assert(sizeof(struct relay_event) == 64, "JavaScript reads 64 bytes");

enum relay_command_kind {
  RELAY_ADMIT = 1,     // dial and relay; `argument` is an epoch to remember the admission under, or 0
  RELAY_RESET_SOURCE,  // reset the source's side; RELAY_RESET is to follow
  RELAY_RESET,         // reset both sides and end
  RELAY_FINISH,        // close the source's side in order and end
  RELAY_CATCH_UP,      // of no flow: report RELAY_CAUGHT_UP, right after what was reported before. One at a time
};
struct relay_command {
  uint32_t kind, slot, generation, argument;
};

struct relay;

// Starts the thread. `notify` is called from it when events are there to take, once until they have all been taken.
// NULL with errno on failure.
struct relay *relay_start(const struct relay_options *options, void (*notify)(void *), void *argument);
// Copies up to `max` events; returns how many. Fewer than `max` means that there are no more.
size_t relay_take(struct relay *relay, struct relay_event *events, size_t max);
// Commands are done in order, soon. One to a flow that has ended does nothing, also where its slot has another flow by then.
void relay_submit(struct relay *relay, const struct relay_command *commands, size_t count);
// Forgets every remembered admission, at once. Returns the new epoch.
uint32_t relay_forget(struct relay *relay);
// With `in_force`, the kernel judges SYNs by the table of this epoch from now on: until the next epoch, or until the gate is not in
// force, a connection whose SYN it has judged since is dialled as a remembered one, and remembered.
void relay_trust_gate(struct relay *relay, bool in_force);
// Bytes so far: from the source, then from the destination. False when the end of the flow has been taken.
bool relay_bytes(struct relay *relay, uint32_t slot, uint32_t generation, uint64_t bytes[2], bool *relaying);
// Accepts what waits already, as far as connections may wait for a decision, then closes the listeners.
void relay_stop_accepting(struct relay *relay);
// Resets all flows, ends the thread, frees everything. Their ends are not reported.
void relay_close(struct relay *relay);
