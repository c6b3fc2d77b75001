// Moving bytes: small messages are copied through one buffer of the thread, a full buffer shows that the flow is bulk and
// turns to splice(2). Traps and their answers:
// - A pipe is always emptied before it is filled again, so EAGAIN from socket to pipe means that the socket is empty, never
//   that the pipe's slots are full.
// - The end of a stream is passed on only when all bytes before it have been sent.
// - No SPLICE_F_MORE: it corks for 200 ms.
// - splice never gets past urgent data: there it finds the socket empty or, if no more will come, ended, although data
//   follow. So only a copy, which passes the urgent byte on, sees the end of a stream.
// - A read stops where urgent data begins. Sockets read it in line (SO_OOBINLINE), so that no byte of a stream is ever lost,
//   and it is sent on as urgent.
// - EINVAL from splice, or no pipe to be had: copy.
#define _GNU_SOURCE
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffers.h"

enum {
  SMALL_BYTES = 16 * 1024,  // a read that fills this shows bulk
  READING_BYTES = 4 * 1024 * 1024,  // more than any reader's kernel takes for a program that does not read
  TURN_ROUNDS = 16,         // moves in one turn, at most 4 MiB: then other flows have theirs
  PROVEN_FILLS = 2,         // moves that fill the pipe: then a larger one is worth its memory
};

static void add_bytes(struct way *way, size_t count) {
  uint64_t bytes = atomic_load_explicit(&way->bytes, memory_order_relaxed);
  atomic_store_explicit(&way->bytes, bytes + count, memory_order_relaxed);
}

static void give_pipe(struct way *way, struct flow_shared *shared) {
  if (way->pipe.bytes == 0) return;
  pipes_give(&shared->pipes, way->pipe, way->piped == 0);
  way->pipe.bytes = 0;
}

enum step { STEP_DONE, STEP_BLOCKED, STEP_BROKEN };

static int send_flags(bool urgent) { return urgent ? MSG_NOSIGNAL | MSG_OOB : MSG_NOSIGNAL; }

// Sends what is left from earlier moves.
static enum step flush(struct flow *flow, int side) {
  struct way *way = &flow->way[side];
  int to = flow->fd[!side];
  while (way->rest_bytes > 0 || way->piped > 0) {
    if (!flow->writable[!side]) return STEP_BLOCKED;
    ssize_t sent = way->piped > 0 ? splice(way->pipe.read, NULL, to, NULL, way->piped, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                                  : send(to, way->rest + way->rest_at, way->rest_bytes, send_flags(way->rest_urgent));
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return STEP_BROKEN;
      flow->writable[!side] = false;
      return STEP_BLOCKED;
    }
    add_bytes(way, (size_t)sent);
    if (way->piped > 0) {
      way->piped -= (uint32_t)sent;
      continue;
    }
    way->rest_at += (uint32_t)sent;
    way->rest_bytes -= (uint32_t)sent;
  }
  if (way->rest != NULL) {
    free(way->rest);
    way->rest = NULL;
  }
  return STEP_DONE;
}

// Reads into the pipe. STEP_BLOCKED: there was nothing.
static enum step splice_in(struct flow *flow, int side, struct flow_shared *shared) {
  struct way *way = &flow->way[side];
  ssize_t got = splice(flow->fd[side], NULL, way->pipe.write, NULL, way->pipe.bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (got > 0) {
    way->piped = (uint32_t)got;
    way->bulk = got >= SMALL_BYTES;
    // A page of the pipe seldom gets a whole page of the socket, so it is full before it holds its size.
    if (way->piped >= way->pipe.bytes / 4 * 3 && way->fills < PROVEN_FILLS) way->fills += 1;
    return STEP_DONE;
  }
  if (got < 0 && errno == EINTR) return STEP_DONE;
  if (got < 0 && errno == EAGAIN && !flow->wary[side]) {
    flow->readable[side] = false;
    return STEP_BLOCKED;
  }
  if (got < 0 && errno != EAGAIN && errno != EINVAL) return STEP_BROKEN;
  give_pipe(way, shared);
  way->bulk = false;
  return STEP_DONE;
}

// Reads into the thread's buffer and sends it; what cannot be sent is kept.
static enum step copy(struct flow *flow, int side, struct flow_shared *shared, bool *source_broken) {
  struct way *way = &flow->way[side];
  // Within a turn that reads on after a full buffer, what has come since has not been announced.
  bool urgent = (flow->urgent[side] || way->bulk) && sockatmark(flow->fd[side]) == 1;
  size_t room = urgent ? 1 : way->bulk ? FLOW_BUFFER_BYTES : SMALL_BYTES;
  ssize_t got = recv(flow->fd[side], shared->buffer, room, 0);
  *source_broken = true;
  if (got < 0) {
    if (errno == EINTR) return STEP_DONE;
    if (errno != EAGAIN) return STEP_BROKEN;
    flow->readable[side] = false;
    return STEP_BLOCKED;
  }
  if (got == 0) {
    way->ended = true;
    return STEP_DONE;
  }
  if (urgent) flow->urgent[side] = false;
  way->bulk = !urgent && (size_t)got == room;
  // A short read has emptied the socket: what comes later is a new event. Not so where the end of the stream is there
  // already, or urgent data, at which a read stops short.
  if (!way->bulk && !flow->wary[side]) flow->readable[side] = false;
  *source_broken = false;
  ssize_t sent;
  do {
    sent = send(flow->fd[!side], shared->buffer, (size_t)got, send_flags(urgent));
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (errno != EAGAIN) return STEP_BROKEN;
    flow->writable[!side] = false;
    sent = 0;
  }
  add_bytes(way, (size_t)sent);
  if (sent == got) return STEP_DONE;
  size_t left = (size_t)(got - sent);
  way->rest = malloc(left);
  if (way->rest == NULL) return STEP_BROKEN;  // bytes would be lost: end the flow instead
  memcpy(way->rest, shared->buffer + sent, left);
  way->rest_at = 0;
  way->rest_urgent = urgent;
  way->rest_bytes = (uint32_t)left;
  return STEP_DONE;
}

static enum pump_result broken(int side) { return side == SOURCE ? PUMP_BROKEN_SOURCE : PUMP_BROKEN_DESTINATION; }

// Bulk starts with small buffers, and gets larger ones when so much has gone to a reader that it must be reading.
static void size_buffers(struct flow *flow, const struct way *way) {
  if (flow->buffers == BUFFERS_FIRST) {
    buffers_limit_leg(flow->fd[DESTINATION]);
    flow->buffers = BUFFERS_LIMITED;
  }
  // Asked again: on a busy machine the answer of a near client to the handshake may have been late.
  if (!flow->near) flow->near = buffers_limit_client(flow->fd[SOURCE]);
  if (atomic_load_explicit(&way->bytes, memory_order_relaxed) < READING_BYTES) return;
  flow->buffers = BUFFERS_WIDE;
  buffers_widen(flow->fd[DESTINATION]);
  if (flow->near) buffers_widen(flow->fd[SOURCE]);
}

// For bulk a pipe; for what has proved to be bulk, to a reader that reads, a large one if there is one.
static void take_pipe(struct flow *flow, struct way *way, struct flow_shared *shared) {
  bool large = way->fills == PROVEN_FILLS && flow->buffers == BUFFERS_WIDE;
  if (way->pipe.bytes > 0) {
    if (!large || pipe_is_large(way->pipe)) return;
    give_pipe(way, shared);
  }
  if (!pipes_take(&shared->pipes, large, &way->pipe)) way->pipe.bytes = 0;
  if (large && !pipe_is_large(way->pipe)) way->fills = 0;  // asked for again when it has been filled as often
}

enum pump_result flow_pump(struct flow *flow, int side, struct flow_shared *shared) {
  struct way *way = &flow->way[side];
  for (int round = 0;; round++) {
    switch (flush(flow, side)) {
      case STEP_BROKEN:
        return broken(!side);
      case STEP_BLOCKED:
        return PUMP_IDLE;
      case STEP_DONE:
        break;
    }
    if (way->ended) {
      give_pipe(way, shared);
      // Where this is the last end of stream, closing passes it on.
      if (!way->shut && !flow->way[!side].shut && shutdown(flow->fd[!side], SHUT_WR) < 0) return broken(!side);
      way->shut = true;
      return PUMP_IDLE;
    }
    if (!flow->readable[side]) {
      give_pipe(way, shared);
      return PUMP_IDLE;
    }
    if (round >= TURN_ROUNDS) return PUMP_AGAIN;
    if (way->bulk && flow->buffers != BUFFERS_WIDE) size_buffers(flow, way);
    if (way->bulk) take_pipe(flow, way, shared);
    if (pipe_is_large(way->pipe)) round++;  // it moves twice as much
    bool source_broken = true;
    enum step step =
        way->pipe.bytes > 0 ? splice_in(flow, side, shared) : copy(flow, side, shared, &source_broken);
    if (step == STEP_BROKEN) return broken(source_broken ? side : !side);
  }
}

bool flow_finished(const struct flow *flow) { return flow->way[SOURCE].shut && flow->way[DESTINATION].shut; }

void flow_close(struct flow *flow, int side, bool reset) {
  if (flow->fd[side] == NO_DESCRIPTOR) return;
  struct linger linger = {.l_onoff = reset};
  setsockopt(flow->fd[side], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(flow->fd[side]);
  flow->fd[side] = NO_DESCRIPTOR;
}

void flow_reset(struct flow *flow, int side) {
  if (flow->fd[side] == NO_DESCRIPTOR) return;
  // connect(2) to no address ends a TCP connection as a close without lingering does.
  struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
  if (connect(flow->fd[side], &nowhere, sizeof nowhere) < 0) flow_close(flow, side, true);
}

uint64_t flow_held(const struct flow *flow) {
  uint64_t held = 0;
  for (int side = 0; side < SIDES; side++) {
    if (flow->fd[side] != NO_DESCRIPTOR) held += buffers_held(flow->fd[side]);
    held += flow->way[side].rest_bytes + flow->way[side].piped;
  }
  return held;
}

uint64_t flow_moved(const struct flow *flow) {
  uint64_t moved = 0;
  for (int side = 0; side < SIDES; side++) moved += atomic_load_explicit(&flow->way[side].bytes, memory_order_relaxed);
  return moved;
}

void flow_release(struct flow *flow, struct flow_shared *shared) {
  for (int side = 0; side < SIDES; side++) {
    struct way *way = &flow->way[side];
    give_pipe(way, shared);
    free(way->rest);
    way->rest = NULL;
    way->rest_bytes = 0;
    way->piped = 0;
  }
}
