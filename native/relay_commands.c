// Commands: the other thread submits them here, and the relay's thread obeys.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay_internal.h"

enum { LAST_ACCEPTS = 4096 };  // as many as wait in a listener's backlog

static const uint32_t ALL_LISTENERS = UINT32_MAX;

static void admit(struct relay *relay, struct flow *flow, uint32_t epoch) {
  if (atomic_load_explicit(&flow->state, memory_order_relaxed) != FLOW_WAITING) return;
  relay->undecided -= 1;
  if (epoch != 0 && epoch == atomic_load(&relay->epoch))
    admissions_add(&relay->admissions, epoch, flow->flags & RELAY_IPV6, flow->address[SOURCE], flow->port[DESTINATION]);
  relay_begin_dial(relay, flow);
  relay_resume_accepting(relay);
}

static void obey(struct relay *relay, const struct relay_command *command) {
  if (command->kind == RELAY_CATCH_UP) {
    flows_post_caught_up(&relay->flows);
    return relay_notify(relay);
  }
  struct flow *flow = flows_find(&relay->flows, command->slot, command->generation);
  if (flow == NULL || atomic_load_explicit(&flow->state, memory_order_relaxed) == FLOW_ENDED) return;
  switch (command->kind) {
    case RELAY_ADMIT:
      return admit(relay, flow, command->argument);
    case RELAY_RESET_SOURCE:
      return flow_reset(flow, SOURCE);
    case RELAY_RESET:
      return relay_end_flow(relay, flow, RELAY_END_RESET, 0);
    case RELAY_FINISH:
      return relay_end_flow(relay, flow, RELAY_END_CLOSED, 0);
  }
}

bool relay_obey(struct relay *relay) {
  uint64_t count;
  while (read(relay->wake, &count, sizeof count) < 0 && errno == EINTR) {
  }
  pthread_mutex_lock(&relay->flows.lock);
  struct relay_command *commands = relay->commands;
  size_t command_count = relay->command_count;
  bool stop = relay->stop, stop_accepting = relay->stop_accepting;
  relay->commands = NULL;
  relay->command_count = relay->command_room = 0;
  pthread_mutex_unlock(&relay->flows.lock);
  for (size_t i = 0; i < command_count; i++) obey(relay, &commands[i]);
  free(commands);
  // Closing a listener resets what waits there, though to its client it is a connection already.
  if (stop_accepting && !stop) relay_accept_some(relay, ALL_LISTENERS, LAST_ACCEPTS);
  if (stop_accepting || stop) relay_close_listeners(relay);
  return !stop;
}

// ---- the other thread's side

static void wake(struct relay *relay) {
  uint64_t one = 1;
  while (write(relay->wake, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void relay_submit(struct relay *relay, const struct relay_command *commands, size_t count) {
  pthread_mutex_lock(&relay->flows.lock);
  size_t wanted = relay->command_count + count;
  if (wanted > relay->command_room) {
    size_t room = wanted * 2;
    struct relay_command *larger = realloc(relay->commands, room * sizeof *larger);
    if (larger == NULL) abort();  // a lost reset would leave a forbidden flow open
    relay->commands = larger;
    relay->command_room = room;
  }
  memcpy(relay->commands + relay->command_count, commands, count * sizeof *commands);
  relay->command_count = wanted;
  pthread_mutex_unlock(&relay->flows.lock);
  wake(relay);
}

uint32_t relay_forget(struct relay *relay) {
  uint32_t epoch = atomic_fetch_add(&relay->epoch, 1) + 1;
  return epoch == 0 ? relay_forget(relay) : epoch;  // 0 means "do not remember"
}

void relay_trust_gate(struct relay *relay, bool in_force) {
  if (in_force) atomic_store(&relay->gate_since_us, now_us());
  atomic_store(&relay->gate_epoch, in_force ? atomic_load(&relay->epoch) : 0);
}

void relay_ask(struct relay *relay, bool *flag) {
  pthread_mutex_lock(&relay->flows.lock);
  *flag = true;
  pthread_mutex_unlock(&relay->flows.lock);
  wake(relay);
}

void relay_stop_accepting(struct relay *relay) { relay_ask(relay, &relay->stop_accepting); }
