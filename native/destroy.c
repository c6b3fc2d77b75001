#define _GNU_SOURCE
#include "destroy.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <unistd.h>

static int read_result(void *results, size_t index, const struct nlmsghdr *answer, size_t length) {
  if (answer->nlmsg_type != NLMSG_ERROR || length < NLMSG_LENGTH(sizeof(int))) return -EPROTO;
  ((int32_t *)results)[index] = ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
  return 0;
}

static int destroy_sockets_by(int fd, const struct socket_handle *sockets, size_t count, int32_t *results) {
  const struct diag_kind kind = {.type = SOCK_DESTROY, .flags = NLM_F_ACK, .read = read_result};
  return diag_ask_by(fd, &kind, sockets, count, results);
}

int destroy_sockets(const struct socket_handle *sockets, size_t count, int32_t *results) {
  int fd = diag_open();
  if (fd < 0) return fd;
  int result = destroy_sockets_by(fd, sockets, count, results);
  close(fd);
  return result;
}

static bool is_spared(const struct socket_facts *facts, struct spared_states spared) {
  if (facts->state <= 0) return true;  // not there
  uint32_t state = 1U << (unsigned)facts->state;
  return (state & spared.always) != 0 || ((state & spared.left) != 0 && facts->has_process == 0);
}

static int destroy_piece(int fd, struct socket_handle *sockets, size_t count, struct spared_states spared,
                         struct socket_facts *facts, int32_t *results) {
  int failed = look_up_sockets_by(fd, sockets, count, facts);
  if (failed < 0) return failed;
  struct socket_handle doomed[DIAG_AT_ONCE];
  int32_t answers[DIAG_AT_ONCE] = {0};
  size_t doomed_count = 0;
  for (size_t i = 0; i < count; i++)
    if (!is_spared(&facts[i], spared)) doomed[doomed_count++] = sockets[i];
  failed = destroy_sockets_by(fd, doomed, doomed_count, answers);
  for (size_t i = 0, answer = 0; i < count; i++) results[i] = is_spared(&facts[i], spared) ? 0 : answers[answer++];
  return failed;
}

int destroy_found(struct socket_handle *sockets, size_t count, struct spared_states spared, struct socket_facts *facts,
                  int32_t *results) {
  int fd = diag_open();
  if (fd < 0) return fd;
  int result = 0;
  for (size_t from = 0; from < count && result == 0; from += DIAG_AT_ONCE) {
    size_t piece = count - from < DIAG_AT_ONCE ? count - from : DIAG_AT_ONCE;
    result = destroy_piece(fd, sockets + from, piece, spared, facts + from, results + from);
  }
  close(fd);
  return result;
}
