// The relay's thread: one epoll loop over listeners, flows and the commands of the other thread. What is done for each event
// stands in this file, to be inlined.
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "relay_internal.h"

enum {
  LOOP_EVENTS = 256,    // what is more comes in the next turn
  ACCEPTS_A_TURN = 64,  // of one listener: then flows have their turn
};

// ---- relaying

static const enum relay_end BROKEN[SIDES] = {RELAY_END_SOURCE, RELAY_END_DESTINATION};

// A side that has reset may have sent something before, which it was too early or too busy to read: an answer to a request that
// is still being sent. That is passed on, as far as it can be at once; then the reset, which waits for no slow reader.
static void end_broken(struct relay *relay, struct flow *flow, int side, int error) {
  flow->way[side].shut = true;  // what follows is no end of stream
  flow->readable[side] = flow->wary[side] = true;
  while (flow_pump(flow, side, &relay->shared) == PUMP_AGAIN) {
  }
  relay_end_flow(relay, flow, BROKEN[side], error);
}

static void move(struct relay *relay, struct flow *flow, int side) {
  if (atomic_load_explicit(&flow->state, memory_order_relaxed) != FLOW_RELAYING) return;
  switch (flow_pump(flow, side, &relay->shared)) {
    case PUMP_IDLE:
      if (flow_finished(flow)) relay_end_flow(relay, flow, RELAY_END_CLOSED, 0);
      return;
    case PUMP_AGAIN:
      if (!flow->again) {
        flow->again = true;
        flow->next_again = relay->again;
        relay->again = flow;
      }
      return;
    case PUMP_BROKEN_SOURCE:
      return end_broken(relay, flow, SOURCE, errno);
    case PUMP_BROKEN_DESTINATION:
      return end_broken(relay, flow, DESTINATION, errno);
  }
}

static int socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// ---- dialling

static void dial_event(struct relay *relay, struct flow *flow, uint32_t events) {
  if (events & (EPOLLERR | EPOLLHUP)) {
    int error = socket_error(flow->fd[DESTINATION]);
    if (dial_had_connected(error)) {
      relay_connected(relay, flow);
      if (atomic_load_explicit(&flow->state, memory_order_relaxed) == FLOW_RELAYING)
        end_broken(relay, flow, DESTINATION, error);
      return;
    }
    if (!dial_is_port_clash(error)) return relay_end_flow(relay, flow, RELAY_END_UNREACHABLE, error);
    flow_close(flow, DESTINATION, true);
    dial_skip_ports(&relay->dialler);
    return relay_dial(relay, flow);
  }
  if (events & EPOLLOUT) relay_connected(relay, flow);
}

static void end_late_dials(struct relay *relay, uint64_t now) {
  uint64_t limit = relay->options.connect_timeout_ms * US_PER_MS;
  while (relay->dial_first != NULL && now - relay->dial_first->dialled_us >= limit)
    relay_end_flow(relay, relay->dial_first, RELAY_END_UNREACHABLE, ETIMEDOUT);
}

// ---- events of flows

static void flow_event(struct relay *relay, uint64_t tag, uint32_t events) {
  int side = (int)(tag & 1);
  struct flow *flow = flows_find(&relay->flows, (uint32_t)tag >> 1, (uint32_t)(tag >> 32));
  if (flow == NULL) return;  // it ended earlier in this turn, and its end has been taken
  uint8_t state = atomic_load_explicit(&flow->state, memory_order_relaxed);
  if (state == FLOW_DIALLING) dial_event(relay, flow, events);
  state = atomic_load_explicit(&flow->state, memory_order_relaxed);
  if (state != FLOW_RELAYING) return;
  if (events & (EPOLLERR | EPOLLRDHUP | EPOLLHUP | EPOLLPRI)) flow->wary[side] = true;
  if (events & (EPOLLIN | EPOLLERR | EPOLLRDHUP | EPOLLHUP | EPOLLPRI)) flow->readable[side] = true;
  if (events & EPOLLPRI) flow->urgent[side] = true;
  if (events & EPOLLOUT) flow->writable[side] = true;
  struct way *out = &flow->way[!side];
  bool held_back = out->rest_bytes > 0 || out->piped > 0;
  if (flow->readable[side]) move(relay, flow, side);
  if (flow->writable[side] && held_back) move(relay, flow, !side);
  if ((events & EPOLLERR) && atomic_load_explicit(&flow->state, memory_order_relaxed) == FLOW_RELAYING)
    end_broken(relay, flow, side, socket_error(flow->fd[side]));
}

static void move_again(struct relay *relay) {
  struct flow *flow = relay->again;
  relay->again = NULL;
  while (flow != NULL) {
    struct flow *next = flow->next_again;
    flow->again = false;
    for (int side = 0; side < SIDES; side++) move(relay, flow, side);
    flow = next;
  }
}

// ---- the loop

// Milliseconds until something is due; -1: nothing is.
static int until_due(const struct relay *relay) {
  if (relay->again != NULL) return 0;
  uint64_t due = UINT64_MAX;
  if (relay->dial_first != NULL) due = relay->dial_first->dialled_us + relay->options.connect_timeout_ms * US_PER_MS;
  if (relay->accept_again_us != 0 && relay->accept_again_us < due) due = relay->accept_again_us;
  if (relay->notify_us != 0 && relay->notify_us < due) due = relay->notify_us;
  if (relay->sweep_us != 0 && relay->sweep_us < due) due = relay->sweep_us;
  if (due == UINT64_MAX) return -1;
  uint64_t now = now_us();
  return due <= now ? 0 : (int)((due - now) / US_PER_MS) + 1;
}

static void look_at_clock(struct relay *relay) {
  if (relay->dial_first == NULL && relay->accept_again_us == 0 && relay->notify_us == 0 && relay->sweep_us == 0) return;
  uint64_t now = now_us();
  if (relay->notify_us != 0 && now >= relay->notify_us) relay_notify(relay);
  end_late_dials(relay, now);
  if (relay->sweep_us != 0 && now >= relay->sweep_us) relay_look_at_flows(relay, now);
  if (relay->accept_again_us == 0 || now < relay->accept_again_us) return;
  relay->accept_again_us = 0;
  relay_keep_spare(relay);
  relay_resume_accepting(relay);
}

static void end_all(struct relay *relay) {
  for (uint32_t slot = 0; slot < relay->flows.made; slot++) {
    struct flow *flow = flows_at(&relay->flows, slot);
    uint8_t state = atomic_load(&flow->state);
    if (state != FLOW_FREE && state != FLOW_ENDED) relay_end_flow(relay, flow, RELAY_END_RESET, 0);
  }
}

void *relay_run(void *argument) {
  struct relay *relay = argument;
  pthread_setname_np(pthread_self(), "sluice-relay");
  struct epoll_event events[LOOP_EVENTS];
  relay_set_accepting(relay, true);
  for (bool going_on = true; going_on;) {
    int count = epoll_wait(relay->epoll, events, LOOP_EVENTS, until_due(relay));
    bool woken = false;
    uint32_t listeners = 0;
    for (int i = 0; i < count; i++) {
      uint64_t tag = events[i].data.u64;
      if (tag == TAG_WAKE) woken = true;
      else if ((uint32_t)tag == TAG_LISTENER) listeners |= 1u << (tag >> 32);
      else flow_event(relay, tag, events[i].events);
    }
    if (woken) going_on = relay_obey(relay);
    if (listeners != 0) relay_accept_some(relay, listeners, ACCEPTS_A_TURN);
    move_again(relay);
    look_at_clock(relay);
  }
  end_all(relay);
  return NULL;
}
