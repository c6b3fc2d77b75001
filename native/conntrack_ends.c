// Reads what connection tracking reports of its entries, many messages in one call, as rows of numbers. What a row means for policy is
// decided in JavaScript. Source: linux/netfilter/nfnetlink_conntrack.h, linux/netlink.h.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "addon.h"

// A row, as an array of uint32. sidecar/kernel/event_rows.ts has the same places. An IPv4 address has the first of its four words.
enum row {
  ROW_FLAGS,
  ROW_PROTOCOL,
  ROW_STATUS,
  ROW_TCP_STATE,
  ROW_ID,
  ROW_SOURCE_PORT,
  ROW_DESTINATION_PORT,
  ROW_ANSWERING_PORT,
  ROW_ANSWERED_PORT,
  ROW_SOURCE,
  ROW_DESTINATION = ROW_SOURCE + 4,
  ROW_ANSWERING = ROW_DESTINATION + 4,
  ROW_ANSWERED = ROW_ANSWERING + 4,
  ROW_SENT = ROW_ANSWERED + 4,
  ROW_RECEIVED = ROW_SENT + 2,
  ROW_WORDS = ROW_RECEIVED + 2,
};

// In ROW_FLAGS.
enum { GONE = 1, IS_IPV6 = 2 };

// Where a message says nothing of a TCP state.
enum { NO_STATE = 255 };

// Datagrams of one recvmmsg. An event has one datagram of some 300 bytes.
enum { BATCH = 32, DATAGRAM_BYTES = 2048 };

struct span {
  const uint8_t *at;
  size_t length;
};

// The last attribute of this type, as JavaScript's reader has it; without bytes where there is none.
static struct span find(struct span in, uint16_t type) {
  struct span found = {0};
  while (in.length >= NLA_HDRLEN) {
    struct nlattr header;
    memcpy(&header, in.at, sizeof header);
    if (header.nla_len < NLA_HDRLEN || header.nla_len > in.length) break;
    if ((header.nla_type & NLA_TYPE_MASK) == type)
      found = (struct span){in.at + NLA_HDRLEN, header.nla_len - NLA_HDRLEN};
    size_t step = NLA_ALIGN(header.nla_len);
    if (step >= in.length) break;
    in = (struct span){in.at + step, in.length - step};
  }
  return found;
}

// Numbers of the network's order; 0 where they are absent or shorter.
static uint32_t number(struct span in, uint16_t type, size_t bytes) {
  struct span found = find(in, type);
  uint32_t value = 0;
  if (found.length < bytes) return 0;
  for (size_t i = 0; i < bytes; i++) value = value << 8 | found.at[i];
  return value;
}

static bool read_address(struct span addresses, uint16_t v4, uint16_t v6, uint32_t *words, bool *is_ipv6) {
  struct span found = find(addresses, v4);
  *is_ipv6 = found.length != 4;
  if (*is_ipv6) found = find(addresses, v6);
  if (*is_ipv6 && found.length != 16) return false;
  for (size_t i = 0; i < found.length / 4; i++) {
    uint32_t word;
    memcpy(&word, found.at + 4 * i, sizeof word);
    words[i] = ntohl(word);
  }
  return true;
}

static bool read_tuple(struct span tuple, uint32_t *row, enum row source, enum row destination, enum row source_port,
                       enum row destination_port) {
  struct span addresses = find(tuple, CTA_TUPLE_IP), ports = find(tuple, CTA_TUPLE_PROTO);
  bool is_ipv6;
  if (!read_address(addresses, CTA_IP_V4_SRC, CTA_IP_V6_SRC, row + source, &is_ipv6)) return false;
  if (!read_address(addresses, CTA_IP_V4_DST, CTA_IP_V6_DST, row + destination, &is_ipv6)) return false;
  if (is_ipv6) row[ROW_FLAGS] |= IS_IPV6;
  row[ROW_PROTOCOL] = number(ports, CTA_PROTO_NUM, 1);
  row[source_port] = number(ports, CTA_PROTO_SRC_PORT, 2);
  row[destination_port] = number(ports, CTA_PROTO_DST_PORT, 2);
  return true;
}

static void read_bytes(struct span counters, uint32_t *high_and_low) {
  struct span found = find(counters, CTA_COUNTERS_BYTES);
  if (found.length < 8) return;
  uint32_t words[2];
  memcpy(words, found.at, sizeof words);
  high_and_low[0] = ntohl(words[0]);
  high_and_low[1] = ntohl(words[1]);
}

// One message of connection tracking. False for what has no addresses.
static bool read_message(const struct nlmsghdr *header, struct span attributes, uint32_t *row) {
  memset(row, 0, ROW_WORDS * sizeof *row);
  if ((header->nlmsg_type & 0xff) == IPCTNL_MSG_CT_DELETE) row[ROW_FLAGS] = GONE;
  if (!read_tuple(find(attributes, CTA_TUPLE_ORIG), row, ROW_SOURCE, ROW_DESTINATION, ROW_SOURCE_PORT, ROW_DESTINATION_PORT) ||
      !read_tuple(find(attributes, CTA_TUPLE_REPLY), row, ROW_ANSWERING, ROW_ANSWERED, ROW_ANSWERING_PORT, ROW_ANSWERED_PORT))
    return false;
  row[ROW_STATUS] = number(attributes, CTA_STATUS, 4);
  row[ROW_ID] = number(attributes, CTA_ID, 4);
  struct span state = find(find(find(attributes, CTA_PROTOINFO), CTA_PROTOINFO_TCP), CTA_PROTOINFO_TCP_STATE);
  row[ROW_TCP_STATE] = state.length >= 1 ? state.at[0] : NO_STATE;
  read_bytes(find(attributes, CTA_COUNTERS_ORIG), row + ROW_SENT);
  read_bytes(find(attributes, CTA_COUNTERS_REPLY), row + ROW_RECEIVED);
  return true;
}

// The messages of one datagram. Returns how many rows there are then; what has no place any more is left out.
static size_t read_datagram(struct span datagram, uint32_t *rows, size_t count, size_t most) {
  while (datagram.length >= NLMSG_HDRLEN) {
    struct nlmsghdr header;
    memcpy(&header, datagram.at, sizeof header);
    if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > datagram.length) break;
    size_t fixed = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
    if (header.nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK && header.nlmsg_len >= fixed && count < most) {
      struct span attributes = {datagram.at + fixed, header.nlmsg_len - fixed};
      count += read_message(&header, attributes, rows + count * ROW_WORDS);
    }
    size_t step = NLMSG_ALIGN(header.nlmsg_len);
    if (step >= datagram.length) break;
    datagram = (struct span){datagram.at + step, datagram.length - step};
  }
  return count;
}

// The kernel's report of one change is a datagram of its own with one message. So as many are received as rows have places.
static int receive_rows(int fd, uint32_t *rows, size_t most) {
  static _Thread_local uint8_t bytes[BATCH][DATAGRAM_BYTES];
  struct iovec spaces[BATCH];
  struct mmsghdr datagrams[BATCH];
  memset(datagrams, 0, sizeof datagrams);
  for (size_t i = 0; i < BATCH; i++) {
    spaces[i] = (struct iovec){.iov_base = bytes[i], .iov_len = DATAGRAM_BYTES};
    datagrams[i].msg_hdr = (struct msghdr){.msg_iov = &spaces[i], .msg_iovlen = 1};
  }
  size_t count = 0;
  while (count < most) {
    size_t wanted = most - count < BATCH ? most - count : BATCH;
    int received = recvmmsg(fd, datagrams, wanted, MSG_DONTWAIT, NULL);
    if (received < 0 && (errno == ENOBUFS || errno == EINTR)) continue; // the socket counts what it has dropped
    if (received < 0 && errno != EAGAIN) return -1;
    for (int i = 0; i < received; i++) {
      struct span datagram = {bytes[i], datagrams[i].msg_len};
      count = read_datagram(datagram, rows, count, most);
    }
    if (received < (int)wanted) break; // none waits, or an error that the next call has
  }
  return (int)count;
}

// Messages that the socket had no room for, since it was made: sock_diag(7), SK_MEMINFO_DROPS. 0 on kernels before 4.12.
static uint32_t drops(int fd) {
  uint32_t info[SK_MEMINFO_VARS] = {0};
  socklen_t length = sizeof info;
  return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) == 0 ? info[SK_MEMINFO_DROPS] : 0;
}

// conntrackRows(fd, rows, dropped): count — `rows` is a Uint32Array, `dropped` one with a place for what the socket has dropped so far.
static napi_value conntrack_rows(napi_env env, napi_callback_info info) {
  enum { ARGS = 3 };
  napi_value a[ARGS];
  addon_args(env, info, ARGS, a);
  void *data[2] = {0};
  size_t words[2] = {0};
  for (size_t i = 0; i < 2; i++) {
    napi_typedarray_type type;
    if (napi_get_typedarray_info(env, a[i + 1], &type, &words[i], &data[i], NULL, NULL) != napi_ok ||
        type != napi_uint32_array || words[i] < (i == 0 ? ROW_WORDS : 1)) {
      errno = EINVAL;
      return addon_result(env, -1);
    }
  }
  int fd = addon_int(env, a[0]);
  int count = receive_rows(fd, data[0], words[0] / ROW_WORDS);
  int error = errno;
  *(uint32_t *)data[1] = drops(fd);
  errno = error;
  return addon_result(env, count);
}

const struct addon_function conntrack_functions[] = {
    {"conntrackRows", conntrack_rows},
    {NULL, NULL},
};
