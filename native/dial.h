// Dials the app on the original destination from the client's own address, so that the app sees who is calling.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "flow.h"

struct dialler {
  uint32_t first_port, last_port, next_port;
  uint32_t mark;
  uint32_t random;
};

enum dial_result { DIAL_CONNECTING, DIAL_FAILED };

// Makes the flow's destination socket and begins to connect it. DIAL_FAILED: `flow->end` and `flow->error` say why.
enum dial_result dial_begin(struct dialler *dialler, struct flow *flow);
// A failed connect that may succeed from another port: this 4-tuple was still in use.
bool dial_is_port_clash(int error);
// The destination did accept, and has reset since: a refusal is ECONNREFUSED, tcp_reset() of the kernel.
bool dial_had_connected(int error);
// Jumps to ports that the same client's flows are unlikely to use: those are often neighbours.
void dial_skip_ports(struct dialler *dialler);
