// Connections come in here: the listeners, what is accepted from them, and whether a remembered admission covers it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handshake.h"
#include "original.h"
#include "relay_internal.h"
#include "socket_options.h"

enum {
  REFUSALS_A_TURN = 256,  // connections reset at once for want of descriptors, a listener; the next ones after the pause
  ACCEPT_PAUSE_MS = 100,  // after running out of descriptors, memory or watches
};

bool relay_open_listeners(struct relay *relay) {
  bool opened = true;
  relay->listening = true;
  for (uint32_t i = 0; i < relay->options.listener_count; i++) {
    int fd = fcntl(relay->options.listeners[i], F_DUPFD_CLOEXEC, 0);
    opened = opened && fd >= 0;
    relay->options.listeners[i] = fd;  // also where that failed: the one that was given stays the caller's
    // What a listener has set passes to what it accepts, tcp(7): no system call for each connection.
    if (fd < 0) continue;
    send_at_once(fd);
    keep_alive(fd, &relay->options);
    read_in_line(fd);
    reset_when_killed(fd);
    handshake_keep(fd);
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &size);
    relay->listener_port[i] = ntohs(((const struct sockaddr_in *)&address)->sin_port);
  }
  return opened;
}

void relay_set_accepting(struct relay *relay, bool accepting) {
  if (relay->accepting == accepting || !relay->listening) return;
  relay->accepting = accepting;
  struct epoll_event event = {.events = accepting ? EPOLLIN | EPOLLEXCLUSIVE : 0};
  for (uint32_t i = 0; i < relay->options.listener_count; i++) {
    int fd = relay->options.listeners[i];
    event.data.u64 = (uint64_t)i << 32 | TAG_LISTENER;
    if (!accepting) {
      epoll_ctl(relay->epoll, EPOLL_CTL_DEL, fd, &event);
    } else if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
      // Out of memory or over max_user_watches, epoll_ctl(2): again after a pause, all of them.
      relay_set_accepting(relay, false);
      relay->accept_again_us = now_us() + ACCEPT_PAUSE_MS * US_PER_MS;
      return;
    }
  }
}

void relay_close_listeners(struct relay *relay) {
  if (!relay->listening) return;
  relay_set_accepting(relay, false);
  relay->listening = false;
  for (uint32_t i = 0; i < relay->options.listener_count; i++) close(relay->options.listeners[i]);
}

static void take_address(struct flow *flow, int side, const struct sockaddr_storage *storage) {
  if (storage->ss_family == AF_INET6) {
    const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)storage;
    flow->flags |= RELAY_IPV6;
    flow->port[side] = ntohs(address->sin6_port);
    memcpy(flow->address[side], &address->sin6_addr, sizeof address->sin6_addr);
    return;
  }
  const struct sockaddr_in *address = (const struct sockaddr_in *)storage;
  flow->port[side] = ntohs(address->sin_port);
  memcpy(flow->address[side], &address->sin_addr, sizeof address->sin_addr);
}

// Who connects to these does not come by the redirect.
static bool is_own_port(const struct relay *relay, uint16_t port) {
  for (uint32_t i = 0; i < relay->options.listener_count; i++)
    if (relay->listener_port[i] == port) return true;
  for (uint32_t i = 0; i < RELAY_OWN_PORTS; i++)
    if (relay->options.own_ports[i] == port) return true;
  return false;
}

// fe80::/10: the app leg cannot come from there.
static bool is_link_local(const struct flow *flow) {
  return (flow->flags & RELAY_IPV6) && flow->address[SOURCE][0] == 0xfe && (flow->address[SOURCE][1] & 0xc0) == 0x80;
}

// Whether the gate that is in force has judged the connection's SYN, by the table of `epoch`. A SYN may be older than the gate: its
// client can take its time for the rest of the handshake, and the connection for being accepted.
static bool gate_has_admitted(const struct relay *relay, uint32_t listener, const struct flow *flow, uint32_t epoch) {
  if (atomic_load(&relay->gate_epoch) != epoch || is_own_port(relay, flow->port[DESTINATION]) || is_link_local(flow))
    return false;
  uint64_t connected_us = relay->drained_us[listener];  // or later
  uint64_t changed_us = atomic_load(&relay->gate_since_us) + GATE_CHANGE_US;
  uint32_t took;
  return connected_us >= changed_us && handshake_took(flow->fd[SOURCE], &took) && connected_us - changed_us >= took;
}

static void accepted(struct relay *relay, uint32_t listener, struct flow *flow, bool translated) {
  bool busy = relay->live >= relay->options.max_flows || flows_waiting(&relay->flows) >= relay->options.max_untaken;
  uint32_t epoch = atomic_load(&relay->epoch);
  bool ipv6 = flow->flags & RELAY_IPV6;
  bool remembered =
      !busy && admissions_has(&relay->admissions, epoch, ipv6, flow->address[SOURCE], flow->port[DESTINATION]);
  // Of what was translated the gate has judged another port.
  if (!busy && !remembered && !translated && gate_has_admitted(relay, listener, flow, epoch)) {
    remembered = true;
    admissions_add(&relay->admissions, epoch, ipv6, flow->address[SOURCE], flow->port[DESTINATION]);
  }
  if (remembered) flow->flags |= RELAY_REMEMBERED;
  flow->epoch = epoch;
  relay->live += 1;
  if (relay->sweep_us == 0) relay->sweep_us = now_us() + SWEEP_US;
  atomic_store(&flow->state, FLOW_WAITING);
  relay->undecided += 1;
  relay_report(relay, flow, RELAY_ACCEPTED, remembered ? NOT_URGENT : URGENT);
  if (!remembered) return;
  relay->undecided -= 1;
  relay_begin_dial(relay, flow);
}

void relay_keep_spare(struct relay *relay) {
  if (relay->spare == NO_DESCRIPTOR) relay->spare = fcntl(relay->wake, F_DUPFD_CLOEXEC, 0);
}

// A connection that nobody accepts would wait until its client gives up: what waits is accepted and reset, one at a time.
static void refuse_waiting(struct relay *relay) {
  if (relay->spare == NO_DESCRIPTOR) return;
  close(relay->spare);
  relay->spare = NO_DESCRIPTOR;
  for (uint32_t i = 0; i < relay->options.listener_count; i++) {
    for (int turn = 0; turn < REFUSALS_A_TURN; turn++) {
      int fd = accept4(relay->options.listeners[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) break;
      close(fd);  // a reset, as the listener has it
    }
  }
  relay_keep_spare(relay);
}

static void out_of_descriptors(struct relay *relay, int error) {
  pipes_drop_idle(&relay->shared.pipes);
  if (error == EMFILE || error == ENFILE) refuse_waiting(relay);
  relay_set_accepting(relay, false);
  relay->accept_again_us = now_us() + ACCEPT_PAUSE_MS * US_PER_MS;
  flows_post_accept_error(&relay->flows, error);
  relay_notify(relay);
}

// Where a socket that was accepted was going, and whether translation brought it here. False when it has died already.
static bool find_destination(struct relay *relay, uint32_t listener, int fd, struct sockaddr_storage *destination,
                             bool *translated) {
  socklen_t size = sizeof *destination;
  if (getsockname(fd, (struct sockaddr *)destination, &size) < 0) return false;
  // The port is at the same place in both families. TPROXY leaves it as it was; with the listener's own, translation brought it
  // here, or it was really meant.
  *translated = ntohs(((const struct sockaddr_in *)destination)->sin_port) == relay->listener_port[listener];
  if (*translated) original_destination(fd, destination);
  return true;
}

// False when the listener has no more, or accepting has been paused. `began_us`: a time before now.
static bool accept_one(struct relay *relay, uint32_t listener, uint64_t began_us) {
  struct sockaddr_storage source, destination;
  socklen_t source_size = sizeof source;
  int fd = accept4(relay->options.listeners[listener], (struct sockaddr *)&source, &source_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EAGAIN) {
      relay->drained_us[listener] = began_us;
      return false;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      out_of_descriptors(relay, errno);
      return false;
    }
    return true;  // that one connection has failed, accept(2)
  }
  bool translated;
  if (!find_destination(relay, listener, fd, &destination, &translated)) {
    close(fd);
    return true;
  }
  struct flow *flow = flows_take(&relay->flows);
  if (flow == NULL) {
    close(fd);
    out_of_descriptors(relay, ENOMEM);
    return false;
  }
  flow->fd[SOURCE] = fd;
  flow->started_us = now_us();
  take_address(flow, SOURCE, &source);
  take_address(flow, DESTINATION, &destination);
  accepted(relay, listener, flow, translated);
  if (relay->undecided < UNDECIDED_MAX) return true;
  relay_set_accepting(relay, false);
  return false;
}

void relay_accept_some(struct relay *relay, uint32_t listeners, int at_most) {
  uint64_t began_us = now_us();
  for (uint32_t i = 0; i < relay->options.listener_count; i++) {
    if ((listeners >> i & 1) == 0) continue;
    for (int turn = 0; turn < at_most && relay->accepting; turn++) {
      if (!accept_one(relay, i, began_us)) break;
    }
  }
}
