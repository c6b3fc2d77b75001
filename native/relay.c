// The relay as the other thread has it: started, asked and closed.
#define _GNU_SOURCE
#include "relay.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay_internal.h"

static void dispose(struct relay *relay) {
  pipes_drop_idle(&relay->shared.pipes);
  relay_close_listeners(relay);
  if (relay->epoll >= 0) close(relay->epoll);
  if (relay->wake >= 0) close(relay->wake);
  if (relay->spare != NO_DESCRIPTOR) close(relay->spare);
  free(relay->commands);
  free(relay->shared.buffer);
  flows_free(&relay->flows);
  free(relay);
}

static bool start_thread(struct relay *relay) {
  // Signals are Node's: this thread takes none.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&relay->thread, NULL, relay_run, relay);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return error == 0;
}

struct relay *relay_start(const struct relay_options *options, void (*notify)(void *), void *argument) {
  struct relay *relay = calloc(1, sizeof *relay);
  if (relay == NULL) return NULL;
  relay->options = *options;
  relay->notify = notify;
  relay->argument = argument;
  atomic_init(&relay->epoch, 1);
  flows_init(&relay->flows);
  relay->shared.pipes.max = options->max_pipes;
  relay->shared.buffer = malloc(FLOW_BUFFER_BYTES);
  relay->dialler = (struct dialler){.first_port = options->first_port,
                                    .last_port = options->last_port,
                                    .mark = options->mark,
                                    .random = (uint32_t)now_us()};
  dial_skip_ports(&relay->dialler);
  relay->epoll = epoll_create1(EPOLL_CLOEXEC);
  relay->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  relay->spare = NO_DESCRIPTOR;
  relay_keep_spare(relay);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = TAG_WAKE};
  bool ready = relay->shared.buffer != NULL && relay->epoll >= 0 && relay->wake >= 0 &&
               relay->spare >= 0 && epoll_ctl(relay->epoll, EPOLL_CTL_ADD, relay->wake, &event) == 0;
  bool listening = relay_open_listeners(relay);
  if (ready && listening && start_thread(relay)) return relay;
  int error = errno;
  dispose(relay);
  errno = error;
  return NULL;
}

size_t relay_take(struct relay *relay, struct relay_event *events, size_t max) {
  return flows_take_events(&relay->flows, events, max);
}

bool relay_bytes(struct relay *relay, uint32_t slot, uint32_t generation, uint64_t bytes[2], bool *relaying) {
  struct flow *flow = flows_find(&relay->flows, slot, generation);
  if (flow == NULL) return false;
  for (int side = 0; side < SIDES; side++)
    bytes[side] = atomic_load_explicit(&flow->way[side].bytes, memory_order_relaxed);
  *relaying = atomic_load(&flow->state) == FLOW_RELAYING;
  return true;
}

void relay_close(struct relay *relay) {
  relay_ask(relay, &relay->stop);
  pthread_join(relay->thread, NULL);
  dispose(relay);
}
