// The life of a flow from its admission on: dialled, connected, ended. What moves its bytes is flow.c.
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>

#include "relay_internal.h"
#include "socket_options.h"

static void forget_dial(struct relay *relay, struct flow *flow) {
  if (flow->previous_dial != NULL) flow->previous_dial->next_dial = flow->next_dial;
  else relay->dial_first = flow->next_dial;
  if (flow->next_dial != NULL) flow->next_dial->previous_dial = flow->previous_dial;
  else relay->dial_last = flow->previous_dial;
  flow->previous_dial = flow->next_dial = NULL;
}

static void forget_again(struct relay *relay, struct flow *flow) {
  if (!flow->again) return;
  struct flow **link = &relay->again;
  while (*link != flow) link = &(*link)->next_again;
  *link = flow->next_again;
}

void relay_end_flow(struct relay *relay, struct flow *flow, enum relay_end how, int error) {
  uint8_t state = atomic_load_explicit(&flow->state, memory_order_relaxed);
  bool reset = how != RELAY_END_CLOSED;
  if (state == FLOW_WAITING) relay->undecided -= 1;
  if (state == FLOW_DIALLING) forget_dial(relay, flow);
  forget_again(relay, flow);
  flow_close(flow, SOURCE, reset);
  flow_close(flow, DESTINATION, reset);
  flow_release(flow, &relay->shared);
  flow->end = (uint8_t)how;
  flow->error = error;
  flow->ended_us = now_us();
  relay->live -= 1;
  atomic_store(&flow->state, FLOW_ENDED);
  // From here on the flow is the taker's.
  relay_report(relay, flow, RELAY_ENDED, NOT_URGENT);
  relay_resume_accepting(relay);
}

static const uint32_t WATCHED = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

static bool watch(struct relay *relay, struct flow *flow, int side) {
  struct epoll_event event = {
      .events = WATCHED, .data.u64 = (uint64_t)flow->generation << 32 | flow->slot << 1 | (uint32_t)side};
  return epoll_ctl(relay->epoll, EPOLL_CTL_ADD, flow->fd[side], &event) == 0;
}

void relay_dial(struct relay *relay, struct flow *flow) {
  if (dial_begin(&relay->dialler, flow) == DIAL_FAILED) return relay_end_flow(relay, flow, flow->end, flow->error);
  if (!watch(relay, flow, DESTINATION)) return relay_end_flow(relay, flow, RELAY_END_SHORTAGE, errno);
}

void relay_begin_dial(struct relay *relay, struct flow *flow) {
  atomic_store(&flow->state, FLOW_DIALLING);
  flow->dialled_us = now_us();
  flow->previous_dial = relay->dial_last;
  if (relay->dial_last != NULL) relay->dial_last->next_dial = flow;
  else relay->dial_first = flow;
  relay->dial_last = flow;
  relay_dial(relay, flow);
}

void relay_connected(struct relay *relay, struct flow *flow) {
  send_at_once(flow->fd[DESTINATION]);
  keep_tracked(flow->fd[DESTINATION]);
  read_in_line(flow->fd[DESTINATION]);
  reset_when_killed(flow->fd[DESTINATION]);
  forget_dial(relay, flow);
  atomic_store(&flow->state, FLOW_RELAYING);
  flow->writable[SOURCE] = flow->writable[DESTINATION] = true;
  // What the client has sent, or its reset, is an event of the next turn.
  if (!watch(relay, flow, SOURCE)) relay_end_flow(relay, flow, RELAY_END_SHORTAGE, errno);
}
