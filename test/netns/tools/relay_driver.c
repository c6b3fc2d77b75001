// Drives the native relay as Node's main thread does, with clients and an app in the same process, so that sanitizers see
// all of it. Runs in a namespace whose redirect delivers to port 15006; see own_namespace.ts.
// Exits 0 when every flow that was left alone carried its bytes, all ends were reported and no pipe is left.
// `relay_driver ends`: flows end in every way, some by command. `no-splice`, `no-pipes`: the same where splice(2) answers
// EINVAL, or the user's quota of pipes is used up. `answers`: apps answer early and reset. `last`: the relay is told to stop
// accepting while connections wait for it; they are served all the same. `large`: more bulk than there are large pipes. `few-large`: the
// same, where most of the quota of pipes is used up.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "refusals.h"
#include "relay.h"

enum {
  CLIENTS = 8,
  LARGE_CLIENTS = 12,  // more than there are large pipes
  ROUNDS = 60,
  BULK_BYTES = 1 << 20,
  LARGE_BYTES = 128 << 20,  // much more than must have been read before a pipe is enlarged
  LOOK_EVERY = 20,  // turns of the loop between two looks at pipes, where none should be large
  PIECE_BYTES = 100,
  ANSWER_BYTES = 10000,
  PATIENCE_SECONDS = 20,
  SEGMENT_BYTES = 1400,
  RECEIVE_BYTES = 64 * 1024,
  EVENTS = 32,
  LAST_FLOWS = 12,  // of each client: together more than the relay accepts in a turn
};

enum { APP_PORT = 80, RESETTING_PORT = 81 };

static atomic_int finished_clients, completed, wrong;
static atomic_bool commanded[1 << 16];  // by source port: the flow is to be ended by command

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in at(const char *host, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, host, &address.sin_addr);
  return address;
}

static void be_patient(int fd) {
  struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

// Keeps buffers small, also the relay's, which grow with segments: bulk must wait for a slow reader. To be called before
// connect or listen.
static void be_narrow(int fd) {
  int segment = SEGMENT_BYTES, buffer = RECEIVE_BYTES;
  setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
}

static void close_with_reset(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(fd);
}

static bool send_all(int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    count -= (size_t)sent;
  }
  return true;
}

// ---- the app: the first byte of a connection says what it does

static void *serve(void *argument) {
  int fd = (int)(intptr_t)argument;
  char *bytes = malloc(BULK_BYTES);
  char verb = 0;
  be_patient(fd);
  if (recv(fd, &verb, 1, 0) == 1) {
    if (verb == 'R') {
      close_with_reset(fd);
      free(bytes);
      return NULL;
    }
    if (verb == 'E') {
      for (ssize_t got; (got = recv(fd, bytes, BULK_BYTES, 0)) > 0;)
        if (!send_all(fd, bytes, (size_t)got)) break;
    }
    if (verb == 'A') {
      recv(fd, bytes, PIECE_BYTES, 0);
      send_all(fd, bytes, ANSWER_BYTES);  // what else has come stays unread: closing resets
    }
    if (verb == 'I') {
      int on = 1;
      setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
      send_all(fd, &verb, 1);
    }
    if (verb == 'C' || verb == 'I') {
      uint32_t count = 0;
      for (ssize_t got; (got = recv(fd, bytes, BULK_BYTES, 0)) > 0;) count += (uint32_t)got;
      send_all(fd, (char *)&count, sizeof count);
    }
  }
  close(fd);
  free(bytes);
  return NULL;
}

// Answers before it has been asked, and resets.
static void *answer_all(void *argument) {
  int listener = (int)(intptr_t)argument;
  char bytes[ANSWER_BYTES] = {0};
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return NULL;
    send_all(fd, bytes, ANSWER_BYTES);
    close_with_reset(fd);
  }
}

static void *accept_all(void *argument) {
  int listener = (int)(intptr_t)argument;
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return NULL;
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0) fail("pthread_create");
    pthread_detach(thread);
  }
}

// ---- clients

static int connect_app(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in from = at("10.9.0.1", 0), to = at("10.9.0.2", port);
  be_patient(fd);
  be_narrow(fd);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
    close(fd);
    return -1;
  }
  return fd;
}

// A flow has ended before it carried all that it should: as was commanded, or its bytes are lost.
static void incomplete(int fd) {
  struct sockaddr_in from = {0};
  socklen_t length = sizeof from;
  getsockname(fd, (struct sockaddr *)&from, &length);
  if (!commanded[ntohs(from.sin_port)]) wrong++;
}

static void echo(int fd, char *bytes, unsigned *seed) {
  char *answer = malloc(BULK_BYTES);
  size_t count = 0;
  bool whole = send(fd, "E", 1, MSG_NOSIGNAL) == 1;
  for (int i = 0; whole && i < 50; i++) {
    size_t piece = 1 + (size_t)rand_r(seed) % (i % 10 == 0 ? 20000 : PIECE_BYTES);
    for (size_t j = 0; j < piece; j++) bytes[count + j] = (char)(i + (int)j);
    whole = send_all(fd, bytes + count, piece);
    size_t got = 0;
    while (whole && got < piece) {
      ssize_t n = recv(fd, answer + count + got, piece - got, 0);
      whole = n > 0;
      got += n > 0 ? (size_t)n : 0;
    }
    count += piece;
  }
  if (whole) {
    completed++;
    if (memcmp(bytes, answer, count) != 0) wrong++;
    shutdown(fd, SHUT_WR);
    recv(fd, answer, 1, 0);
  } else {
    incomplete(fd);
  }
  free(answer);
}

// Bulk in both directions at once, to the ends of both streams: what comes back is what was sent.
static void bulk(int fd, char *bytes, unsigned *seed) {
  char *answer = malloc(BULK_BYTES + 1);
  size_t sent = 0, got = 0;
  for (size_t i = 0; i < BULK_BYTES; i += sizeof(int)) memcpy(bytes + i, &(int){rand_r(seed)}, sizeof(int));
  bool going = send(fd, "E", 1, MSG_NOSIGNAL) == 1, ended = false;
  while (going && !ended) {
    struct pollfd ready = {.fd = fd, .events = sent < BULK_BYTES ? POLLIN | POLLOUT : POLLIN};
    going = poll(&ready, 1, PATIENCE_SECONDS * 1000) == 1;
    if (!going) wrong++;  // it hangs
    if (going && (ready.revents & POLLOUT) != 0) {
      ssize_t n = send(fd, bytes + sent, BULK_BYTES - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      going = n > 0 || (n < 0 && errno == EAGAIN);
      sent += n > 0 ? (size_t)n : 0;
      if (sent == BULK_BYTES) shutdown(fd, SHUT_WR);
    }
    if (going && (ready.revents & ~POLLOUT) != 0) {
      ssize_t n = recv(fd, answer + got, BULK_BYTES + 1 - got, MSG_DONTWAIT);
      ended = n == 0;
      going = n >= 0 || errno == EAGAIN;
      got += n > 0 ? (size_t)n : 0;
    }
  }
  if (!ended || got < BULK_BYTES) incomplete(fd);
  else completed++;
  if (got > BULK_BYTES || memcmp(bytes, answer, got) != 0) wrong++;
  free(answer);
}

// Sends urgent data amid small messages or amid bulk, then much, then its end. An app that reads urgent data in line gets every
// byte; one that does not gets
// all but the urgent one, which was passed on as urgent; amid bulk it may come in line.
static void urgent(int fd, char *bytes, bool amid_bulk, bool in_line) {
  memset(bytes, 'c', BULK_BYTES);
  size_t before = amid_bulk ? BULK_BYTES : 6, after = BULK_BYTES / 4;
  char answer;
  bool sent = in_line ? send_all(fd, "I", 1) && recv(fd, &answer, 1, 0) == 1 : send_all(fd, "C", 1);
  sent = sent && send_all(fd, bytes, before) && send(fd, "!", 1, MSG_OOB | MSG_NOSIGNAL) == 1 &&
         send_all(fd, bytes, after);
  shutdown(fd, SHUT_WR);
  uint32_t count = 0, most = (uint32_t)(before + after) + (in_line || amid_bulk);
  ssize_t got = recv(fd, &count, sizeof count, MSG_WAITALL);
  if (got < 0 && errno == EAGAIN) wrong++;  // it hangs
  else if (sent && got == sizeof count && (count == most || (!in_line && amid_bulk && count + 1 == most))) completed++;
  else incomplete(fd);
}

static void check_answer(int fd, char *bytes) {
  ssize_t total = 0;
  for (ssize_t got; (got = recv(fd, bytes, ANSWER_BYTES, 0)) > 0;) total += got;
  if (total == ANSWER_BYTES) completed++;
  else wrong++;
}

// The app answers amid a request and resets: the answer arrives though the request cannot be passed on.
static void answered_early(int fd, char *bytes) {
  memset(bytes, 'q', PIECE_BYTES);
  if (send(fd, "A", 1, MSG_NOSIGNAL) != 1) return;
  while (send_all(fd, bytes, PIECE_BYTES)) {
  }
  check_answer(fd, bytes);
}

// Bulk one way, as fast as it goes; the app counts it.
static void *large_client(void *argument) {
  (void)argument;
  char *bytes = calloc(1, BULK_BYTES);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in from = at("10.9.0.1", 0), to = at("10.9.0.2", APP_PORT);
  be_patient(fd);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  bool whole = send_all(fd, "C", 1);
  for (int sent = 0; whole && sent < LARGE_BYTES; sent += BULK_BYTES) whole = send_all(fd, bytes, BULK_BYTES);
  shutdown(fd, SHUT_WR);
  uint32_t count = 0;
  if (whole && recv(fd, &count, sizeof count, MSG_WAITALL) == sizeof count && count == LARGE_BYTES) completed++;
  else wrong++;
  close(fd);
  free(bytes);
  finished_clients++;
  return NULL;
}

static void *asking_client(void *argument) {
  (void)argument;
  char *bytes = malloc(BULK_BYTES);
  for (int round = 0; round < ROUNDS; round++) {
    int fd = connect_app(round % 2 == 0 ? APP_PORT : RESETTING_PORT);
    if (fd < 0) fail("connect");
    if (round % 2 == 0) answered_early(fd, bytes);
    else check_answer(fd, bytes);
    close(fd);
  }
  free(bytes);
  finished_clients++;
  return NULL;
}

static int waiting[CLIENTS][LAST_FLOWS];

static void *last_client(void *argument) {
  int own = (int)(intptr_t)argument - 1;
  unsigned seed = (unsigned)own;
  char *bytes = malloc(BULK_BYTES);
  for (int i = 0; i < LAST_FLOWS; i++) {
    echo(waiting[own][i], bytes, &seed);
    close(waiting[own][i]);
  }
  free(bytes);
  finished_clients++;
  return NULL;
}

static void *client(void *argument) {
  unsigned seed = (unsigned)(intptr_t)argument;
  char *bytes = malloc(BULK_BYTES + 1);
  for (int round = 0; round < ROUNDS; round++) {
    int fd = connect_app(APP_PORT);
    if (fd < 0) continue;
    switch (rand_r(&seed) % 5) {
      case 0:
        bulk(fd, bytes, &seed);
        break;
      case 1:
        send(fd, "R", 1, MSG_NOSIGNAL);
        recv(fd, bytes, 1, 0);
        break;
      case 2:
        send(fd, "C", 1, MSG_NOSIGNAL);
        close_with_reset(fd);
        fd = -1;
        break;
      case 3:
        urgent(fd, bytes, rand_r(&seed) % 2 == 0, rand_r(&seed) % 2 == 0);
        break;
      default:
        echo(fd, bytes, &seed);
    }
    if (fd >= 0) close(fd);
  }
  free(bytes);
  finished_clients++;
  return NULL;
}

// ---- decisions, as Node's main thread takes them

static void notify(void *argument) {
  uint64_t one = 1;
  if (write(*(int *)argument, &one, sizeof one) < 0) abort();
}

static int listen_at(struct sockaddr_in address, bool transparent, bool narrow) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (transparent ? SOCK_NONBLOCK : 0), 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (narrow) be_narrow(fd);
  if (transparent && setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) < 0) fail("IP_TRANSPARENT");
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1024) < 0) fail("listen");
  return fd;
}

int main(int argument_count, char **arguments) {
  const char *mode = argument_count == 2 ? arguments[1] : "";
  bool answers_only = strcmp(mode, "answers") == 0, last_only = strcmp(mode, "last") == 0;
  bool few_large = strcmp(mode, "few-large") == 0, large_only = few_large || strcmp(mode, "large") == 0;
  if (few_large) use_up_most_of_pipe_quota();
  if (strcmp(mode, "no-splice") == 0) refuse_splice();
  else if (strcmp(mode, "no-pipes") == 0) use_up_pipe_quota();
  else if (!answers_only && !last_only && !large_only && strcmp(mode, "ends") != 0) return 2;
  int pipe_ends = open_pipe_ends(), held_large_ends = large_pipe_ends();
  int app = listen_at(at("10.9.0.2", APP_PORT), false, !large_only);
  int resetting = listen_at(at("10.9.0.2", RESETTING_PORT), false, true);
  int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  int inbound = listen_at(at("127.0.0.1", 15006), true, false);
  struct relay_options options = {.listeners = {inbound},
                                  .listener_count = 1,
                                  .first_port = 10000,
                                  .last_port = 32767,
                                  .mark = 0x539,
                                  .connect_timeout_ms = 5000,
                                  .keepalive_seconds = 60,
                                  .keepalive_interval_seconds = 60,
                                  .keepalive_probes = 119,
                                  .max_flows = 1000,
                                  .max_pipes = large_only ? LARGE_CLIENTS + 4 : 4,
                                  .max_held_kib = 1 << 20,
                                  .max_untaken = 4096};
  struct relay *relay = relay_start(&options, notify, &wake);
  if (relay == NULL) fail("relay_start");
  close(inbound);
  if (last_only) {
    hold_epoll();
    for (int i = 0; i < CLIENTS * LAST_FLOWS; i++) {
      waiting[i / LAST_FLOWS][i % LAST_FLOWS] = connect_app(APP_PORT);
      if (waiting[i / LAST_FLOWS][i % LAST_FLOWS] < 0) fail("connect");
    }
    relay_stop_accepting(relay);
    release_epoll();
  }
  int client_count = large_only ? LARGE_CLIENTS : CLIENTS, large = 0, turns = 0;
  pthread_t accepting, answering, clients[LARGE_CLIENTS];
  pthread_create(&accepting, NULL, accept_all, (void *)(intptr_t)app);
  pthread_create(&answering, NULL, answer_all, (void *)(intptr_t)resetting);
  void *(*start)(void *) = answers_only ? asking_client : last_only ? last_client : large_only ? large_client : client;
  for (intptr_t i = 0; i < client_count; i++) pthread_create(&clients[i], NULL, start, (void *)(i + 1));

  unsigned seed = 7, accepted = 0, ended = 0;
  uint32_t epoch = 1;
  while (atomic_load(&finished_clients) < client_count || ended < accepted) {
    if (large_only || turns++ % LOOK_EVERY == 0) {
      int ends = large_pipe_ends() - held_large_ends;
      if (ends > large) large = ends;
    }
    struct pollfd ready = {.fd = wake, .events = POLLIN};
    uint64_t count;
    poll(&ready, 1, 50);
    if (read(wake, &count, sizeof count) < 0 && errno != EAGAIN) fail("read");
    struct relay_event events[EVENTS];
    for (size_t taken = EVENTS; taken == EVENTS;) {
      taken = relay_take(relay, events, EVENTS);
      struct relay_command commands[EVENTS * 2];
      size_t asked = 0;
      for (size_t i = 0; i < taken; i++) {
        struct relay_event *event = &events[i];
        if (event->kind == RELAY_ENDED) ended++;
        if (event->kind == RELAY_ENDED && answers_only && event->as.ended.end != RELAY_END_DESTINATION) wrong++;
        if (event->kind != RELAY_ACCEPTED) continue;
        accepted++;
        int chance = answers_only || last_only || large_only ? 15 : rand_r(&seed) % 16;
        uint64_t bytes[2];
        bool relaying;
        relay_bytes(relay, event->slot, event->generation, bytes, &relaying);
        struct relay_command command = {.slot = event->slot, .generation = event->generation};
        command.kind = chance == 0 ? RELAY_RESET : chance == 1 ? RELAY_FINISH : RELAY_ADMIT;
        command.argument = epoch;
        bool remembered = (event->flags & RELAY_REMEMBERED) != 0;
        commanded[event->as.accepted.source_port] = chance == 0 || chance == 2 || (chance == 1 && !remembered);
        // What was remembered is being dialled already: it is left alone, or ended in mid-stream.
        if (!remembered || chance == 0) commands[asked++] = command;
        if (chance != 2) continue;
        command.kind = RELAY_RESET_SOURCE;
        commands[asked++] = command;
        command.kind = RELAY_RESET;
        commands[asked++] = command;
      }
      if (asked > 0) relay_submit(relay, commands, asked);
    }
    if (rand_r(&seed) % 8 == 0) epoch = relay_forget(relay);
    if (rand_r(&seed) % 4 == 0) relay_trust_gate(relay, rand_r(&seed) % 2 == 0);
  }
  for (int i = 0; i < client_count; i++) pthread_join(clients[i], NULL);
  int left = last_only ? -1 : connect_app(APP_PORT);  // closing must end what is live
  relay_stop_accepting(relay);
  relay_close(relay);
  if (left >= 0) close(left);
  shutdown(app, SHUT_RDWR);
  shutdown(resetting, SHUT_RDWR);
  pthread_join(accepting, NULL);
  pthread_join(answering, NULL);
  close(app);
  close(resetting);
  close(wake);
  pipe_ends = open_pipe_ends() - pipe_ends;
  printf("%u accepted, %u ended, %d completed, %d wrong; %d splices done, %d refused; %d pipe ends left; %d of large ones at once\n",
         accepted, ended, completed, wrong, splices_done, splices_refused, pipe_ends, large);
  int least = large_only ? LARGE_CLIENTS - 1 : CLIENTS;
  return (int)accepted > least && accepted == ended && completed > least && wrong == 0 && pipe_ends == 0 ? 0 : 1;
}
