// Looks up and destroys connections over loopback on several threads at once, so that sanitizers see it. Each thread has a list of its
// own: every entry is there twice, and the second finds nothing when the first is destroyed. Exits 0 when each entry has the result it should have.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "destroy.h"
#include "look_up.h"

enum { THREADS = 3, SOCKETS = 100, LISTED = 2 * SOCKETS };
enum { ESTABLISHED = 1 };  // tcp_states.h

// struct inet_diag_sockid, whose header clashes with those above.
struct socket_id {
  uint16_t local_port, remote_port;
  uint32_t local[4], remote[4], interface, cookie[2];
};

_Static_assert(sizeof(struct socket_id) == sizeof(((struct socket_handle *)0)->id), "as the kernel has it");

struct counts {
  int found, destroyed, gone, reset;
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static struct socket_handle doomed(int fd) {
  struct sockaddr_in local, remote;
  socklen_t length = sizeof local;
  if (getsockname(fd, (struct sockaddr *)&local, &length) < 0) fail("getsockname");
  if (getpeername(fd, (struct sockaddr *)&remote, &length) < 0) fail("getpeername");
  struct socket_id id = {
      .local_port = local.sin_port,
      .remote_port = remote.sin_port,
      .local = {local.sin_addr.s_addr},
      .remote = {remote.sin_addr.s_addr},
      .cookie = {~0U, ~0U},  // any socket of these addresses
  };
  struct socket_handle one = {.family = AF_INET};
  memcpy(one.id, &id, sizeof id);
  return one;
}

static void *run(void *argument) {
  struct counts *counts = argument;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, SOCKETS) < 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  int clients[SOCKETS], servers[SOCKETS];
  struct socket_handle list[LISTED];
  for (int i = 0; i < SOCKETS; i++) {
    clients[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(clients[i], (struct sockaddr *)&address, length) < 0) fail("connect");
    servers[i] = accept(listener, NULL, NULL);
    list[2 * i] = list[2 * i + 1] = doomed(clients[i]);
  }
  struct socket_facts facts[LISTED];
  int looked_up = look_up_sockets(list, LISTED, facts);
  if (looked_up < 0) {
    errno = -looked_up;
    fail("look_up_sockets");
  }
  for (int i = 0; i < LISTED; i++) counts->found += facts[i].state == ESTABLISHED && facts[i].has_process == 1;
  int32_t results[LISTED];
  int result = destroy_sockets(list, LISTED, results);
  if (result < 0) {
    errno = -result;
    fail("destroy_sockets");
  }
  for (int i = 0; i < LISTED; i++) {
    counts->destroyed += i % 2 == 0 && results[i] == 0;
    counts->gone += i % 2 == 1 && results[i] == -ENOENT;
  }
  for (int i = 0; i < SOCKETS; i++) {
    char byte;
    counts->reset += recv(servers[i], &byte, 1, 0) < 0 && errno == ECONNRESET;
    close(clients[i]);
    close(servers[i]);
  }
  close(listener);
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  struct counts counts[THREADS] = {0}, all = {0};
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, run, &counts[i]);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    all.found += counts[i].found;
    all.destroyed += counts[i].destroyed;
    all.gone += counts[i].gone;
    all.reset += counts[i].reset;
  }
  printf("%d found, %d destroyed, %d gone, %d reset\n", all.found, all.destroyed, all.gone, all.reset);
  int expected = THREADS * SOCKETS;
  return all.found == 2 * expected && all.destroyed == expected && all.gone == expected && all.reset == expected ? 0 : 1;
}
