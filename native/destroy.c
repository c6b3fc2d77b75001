#define _GNU_SOURCE
#include "destroy.h"

#include <errno.h>
#include <linux/sock_diag.h>

static int read_result(void *results, size_t index, const struct nlmsghdr *answer, size_t length) {
  if (answer->nlmsg_type != NLMSG_ERROR || length < NLMSG_LENGTH(sizeof(int))) return -EPROTO;
  ((int32_t *)results)[index] = ((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
  return 0;
}

int destroy_sockets(const struct socket_handle *sockets, size_t count, int32_t *results) {
  const struct diag_kind kind = {.type = SOCK_DESTROY, .flags = NLM_F_ACK, .read = read_result};
  return diag_ask(&kind, sockets, count, results);
}
