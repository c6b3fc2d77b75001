// Packets that tests send past the kernel's own sockets, IPv4 and IPv6, with right checksums:
//
//   packets sctp-serve PORT…                        answers INIT with INIT-ACK, and COOKIE-ECHO with COOKIE-ACK, until it is ended;
//                     prints `ready` first
//   packets sctp-probe SRC DST PORT TIMEOUT_MS [whole]
//                     sends an INIT; exit 0: the INIT-ACK came, 1: it did not. whole: sends a COOKIE-ECHO then, and the COOKIE-ACK has to come
//   packets icmp-echo DST TIMEOUT_MS               sends an echo request; exit 0: the reply came, 1: it did not
//   packets udp-ask DST PORT TIMEOUT_MS BYTES [options]
//                     sends a datagram of so many bytes, which the kernel cuts into fragments if it is long, for IPv6
//                     with a destination options header in front if asked for; exit 0: an answer came, 1: none did
//   packets syn-flood SRC/BITS DST PORT RATE SECONDS [FLAGS]
//                     sends TCP SYNs, RATE a second, each from another address of the prefix and another port;
//                     prints `sent N seconds S`. FLAGS: instead of SYN alone, as a number
//
// Exit 2: bad arguments, or the system refused. Needs CAP_NET_RAW.
// Formats: SCTP RFC 9260 (3.3.2 INIT, 3.3.3 INIT ACK, appendix A CRC32c), TCP RFC 9293, raw(7), ipv6(7).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36  // linux/in6.h; missing from some libcs
#endif

enum {
  PROTOCOL_TCP = 6,
  PROTOCOL_SCTP = 132,
  FIRST_DYNAMIC_PORT = 32768,
  DYNAMIC_PORTS = 28000,

  SCTP_HEADER = 12,  // ports, verification tag, checksum
  SCTP_CHUNK = 20,   // INIT and INIT ACK without parameters
  SCTP_COOKIE = 8,   // INIT ACK has to have a state cookie
  SCTP_INIT = 1,
  SCTP_INIT_ACK = 2,
  SCTP_COOKIE_ECHO = 10,
  SCTP_COOKIE_ACK = 11,
  SCTP_CHUNK_HEADER = 4,
  SCTP_PORTS_MAX = 64,
  SCTP_MAX = SCTP_HEADER + SCTP_CHUNK + SCTP_COOKIE,

  IPV4_HEADER = 20,
  IPV6_HEADER = 40,
  TCP_HEADER = 24,  // with the MSS option
  TCP_SYN = 2,
  SYN_MAX = IPV6_HEADER + TCP_HEADER,

  UDP_MAX = 60000,

  BATCH = 64,  // packets handed to one system call
  TICK_NS = 1000000,
};

union address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static _Noreturn void fail(const char *what) {
  perror(what);
  exit(2);
}

static long number(const char *text, long most) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*text != '\0' && *end == '\0' && value >= 1 && value <= most) return value;
  fprintf(stderr, "%s is not a number from 1 to %ld\n", text, most);
  exit(2);
}

static union address address(const char *text) {
  union address out = {0};
  if (inet_pton(AF_INET, text, &out.v4.sin_addr) == 1) {
    out.v4.sin_family = AF_INET;
  } else if (inet_pton(AF_INET6, text, &out.v6.sin6_addr) == 1) {
    out.v6.sin6_family = AF_INET6;
  } else {
    fprintf(stderr, "%s is not an address\n", text);
    exit(2);
  }
  return out;
}

static socklen_t size(const union address *a) {
  return a->any.sa_family == AF_INET ? sizeof a->v4 : sizeof a->v6;
}

static void put16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value & 0xffff);
}

static unsigned get16(const uint8_t *at) { return (unsigned)at[0] << 8 | at[1]; }

static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

static uint32_t random32(void) {
  uint32_t out = 0;
  while (out == 0) {
    if (getrandom(&out, sizeof out, 0) != sizeof out) fail("getrandom");
  }
  return out;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// ---- SCTP

// CRC32c, bit by bit: a packet has some 40 bytes.
static uint32_t crc32c(const uint8_t *data, size_t length) {
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < length; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

// The checksum's place; it is the only field in the order of the least significant byte first.
static void seal(uint8_t *packet, size_t length) {
  memset(packet + 8, 0, 4);
  uint32_t crc = crc32c(packet, length);
  for (int i = 0; i < 4; i++) packet[8 + i] = (uint8_t)(crc >> 8 * i);
}

static int is_sealed(const uint8_t *packet, size_t length) {
  uint8_t copy[1500];
  if (length > sizeof copy) return 0;
  memcpy(copy, packet, length);
  seal(copy, length);
  return memcmp(copy, packet, length) == 0;
}

// An INIT or INIT ACK. Connection tracking drops an answer whose verification tag is not the INIT's initiate tag.
static size_t sctp_packet(uint8_t *out, int type, unsigned from, unsigned to, uint32_t verification, uint32_t tag) {
  size_t length = SCTP_HEADER + SCTP_CHUNK + (type == SCTP_INIT_ACK ? SCTP_COOKIE : 0);
  memset(out, 0, length);
  put16(out, from);
  put16(out + 2, to);
  put32(out + 4, verification);
  uint8_t *chunk = out + SCTP_HEADER;
  chunk[0] = (uint8_t)type;
  put16(chunk + 2, (unsigned)(length - SCTP_HEADER));
  put32(chunk + 4, tag);
  put32(chunk + 8, 65536);  // receiver window
  put16(chunk + 12, 1);     // outbound streams
  put16(chunk + 14, 1);     // inbound streams
  put32(chunk + 16, tag);   // first TSN
  if (type == SCTP_INIT_ACK) {
    put16(chunk + 20, 7);  // state cookie
    put16(chunk + 22, SCTP_COOKIE);
    put32(chunk + 24, verification);  // so that the server need not keep it
  }
  seal(out, length);
  return length;
}

// The second half of a handshake. `cookie` is that of the INIT ACK, which is the client's tag; NULL: a COOKIE ACK.
static size_t sctp_cookie(uint8_t *out, unsigned from, unsigned to, uint32_t verification, const uint8_t *cookie) {
  size_t chunk_length = SCTP_CHUNK_HEADER + (cookie == NULL ? 0 : 4);
  memset(out, 0, SCTP_HEADER + chunk_length);
  put16(out, from);
  put16(out + 2, to);
  put32(out + 4, verification);
  uint8_t *chunk = out + SCTP_HEADER;
  chunk[0] = cookie == NULL ? SCTP_COOKIE_ACK : SCTP_COOKIE_ECHO;
  put16(chunk + 2, (unsigned)chunk_length);
  if (cookie != NULL) memcpy(chunk + SCTP_CHUNK_HEADER, cookie, 4);
  seal(out, SCTP_HEADER + chunk_length);
  return SCTP_HEADER + chunk_length;
}

static int sctp_socket(int family) {
  int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, PROTOCOL_SCTP);
  if (fd < 0) fail("socket");
  return fd;
}

// The SCTP part of what a raw socket gave, at most its length; NULL when it is no whole chunk of a handshake.
static const uint8_t *sctp_part(int family, const uint8_t *packet, ssize_t *length) {
  if (family == AF_INET && *length < IPV4_HEADER) return NULL;
  ssize_t skip = family == AF_INET ? (packet[0] & 15) * 4 : 0;  // raw(7): only IPv4 comes with its header
  *length -= skip;
  if (*length < SCTP_HEADER + SCTP_CHUNK_HEADER || !is_sealed(packet + skip, (size_t)*length)) return NULL;
  const uint8_t *part = packet + skip;
  int type = part[SCTP_HEADER];
  ssize_t wanted = type == SCTP_INIT       ? SCTP_CHUNK
                   : type == SCTP_INIT_ACK ? SCTP_CHUNK + SCTP_COOKIE
                   : type == SCTP_COOKIE_ECHO ? SCTP_CHUNK_HEADER + 4
                                              : SCTP_CHUNK_HEADER;
  return *length < SCTP_HEADER + wanted ? NULL : part;
}

static void answer(int fd, int family, uint32_t ports[], int count) {
  uint8_t in[1500];
  uint8_t out[SCTP_MAX];
  union address peer = {0};
  socklen_t peer_size = sizeof peer;
  ssize_t length = recvfrom(fd, in, sizeof in, 0, &peer.any, &peer_size);
  const uint8_t *packet = sctp_part(family, in, &length);
  if (packet == NULL) return;
  int is_init = packet[SCTP_HEADER] == SCTP_INIT && get32(packet + 4) == 0;
  if (!is_init && packet[SCTP_HEADER] != SCTP_COOKIE_ECHO) return;
  unsigned port = get16(packet + 2);
  for (int i = 0; i < count; i++) {
    if (ports[i] != port) continue;
    uint32_t tag = get32(packet + SCTP_HEADER + SCTP_CHUNK_HEADER); // in an INIT, and as the cookie
    size_t out_length = is_init ? sctp_packet(out, SCTP_INIT_ACK, port, get16(packet), tag, random32())
                                : sctp_cookie(out, port, get16(packet), tag, NULL);
    if (family == AF_INET6) peer.v6.sin6_port = 0;  // a raw socket takes it for a protocol
    if (sendto(fd, out, out_length, 0, &peer.any, size(&peer)) < 0) perror("sendto");
    return;
  }
}

static _Noreturn void sctp_serve(int count, char **texts) {
  uint32_t ports[SCTP_PORTS_MAX];
  if (count > SCTP_PORTS_MAX) count = SCTP_PORTS_MAX;
  for (int i = 0; i < count; i++) ports[i] = (uint32_t)number(texts[i], 65535);
  struct pollfd fds[] = {{.fd = sctp_socket(AF_INET), .events = POLLIN},
                         {.fd = sctp_socket(AF_INET6), .events = POLLIN}};
  puts("ready");
  fflush(stdout);
  for (;;) {
    if (poll(fds, 2, -1) < 0) fail("poll");
    if (fds[0].revents != 0) answer(fds[0].fd, AF_INET, ports, count);
    if (fds[1].revents != 0) answer(fds[1].fd, AF_INET6, ports, count);
  }
}

static int sctp_probe(int count, char **args) {
  int is_whole = count > 4 && strcmp(args[4], "whole") == 0;
  union address source = address(args[0]);
  union address destination = address(args[1]);
  unsigned port = (unsigned)number(args[2], 65535);
  int64_t deadline = now_ns() + number(args[3], 60000) * 1000000;
  int family = source.any.sa_family;
  int fd = sctp_socket(family);
  if (bind(fd, &source.any, size(&source)) < 0) fail("bind");
  if (connect(fd, &destination.any, size(&destination)) < 0) fail("connect");
  uint32_t tag = random32();
  unsigned own_port = FIRST_DYNAMIC_PORT + random32() % DYNAMIC_PORTS;
  uint8_t out[SCTP_MAX];
  size_t out_length = sctp_packet(out, SCTP_INIT, own_port, port, 0, tag);
  if (send(fd, out, out_length, 0) < 0) {
    if (errno == EPERM) return 1;  // dropped on the way out
    fail("send");
  }
  for (;;) {
    int64_t left_ms = (deadline - now_ns()) / 1000000;
    if (left_ms <= 0) return 1;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (poll(&readable, 1, (int)left_ms) <= 0) continue;
    uint8_t in[1500];
    ssize_t length = recv(fd, in, sizeof in, 0);
    if (length < 0) continue;  // an ICMP error: the deadline ends it
    const uint8_t *packet = sctp_part(family, in, &length);
    if (packet == NULL || get16(packet) != port || get16(packet + 2) != own_port) continue;
    if (get32(packet + 4) != tag) continue;
    if (packet[SCTP_HEADER] == SCTP_COOKIE_ACK) return 0;
    if (packet[SCTP_HEADER] != SCTP_INIT_ACK) continue;
    if (!is_whole) return 0;
    const uint8_t *chunk = packet + SCTP_HEADER;
    out_length = sctp_cookie(out, own_port, port, get32(chunk + 4), chunk + SCTP_CHUNK + 4);
    if (send(fd, out, out_length, 0) < 0) fail("send");
  }
}

// ---- TCP

static uint32_t sum16(uint32_t sum, const uint8_t *data, size_t length) {
  for (size_t i = 0; i < length; i += 2) sum += get16(data + i);
  return sum;
}

static unsigned checksum(uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

// A packet as long as a SYN, with its IP header.
static size_t tcp_packet(uint8_t *out, int family, const uint8_t *from, const uint8_t *to, unsigned from_port,
                         unsigned to_port, uint8_t flags) {
  int header = family == AF_INET ? IPV4_HEADER : IPV6_HEADER;
  size_t bytes = family == AF_INET ? 4 : 16;
  memset(out, 0, SYN_MAX);
  uint8_t *addresses = out + header - 2 * bytes;
  memcpy(addresses, from, bytes);
  memcpy(addresses + bytes, to, bytes);
  if (family == AF_INET) {
    out[0] = 0x45;
    put16(out + 2, IPV4_HEADER + TCP_HEADER);
    out[8] = 64;
    out[9] = PROTOCOL_TCP;
    put16(out + 10, checksum(sum16(0, out, IPV4_HEADER)));
  } else {
    out[0] = 0x60;
    put16(out + 4, TCP_HEADER);
    out[6] = PROTOCOL_TCP;
    out[7] = 64;
  }
  uint8_t *tcp = out + header;
  put16(tcp, from_port);
  put16(tcp + 2, to_port);
  put32(tcp + 4, from_port * 2654435761u);
  tcp[12] = TCP_HEADER / 4 << 4;
  tcp[13] = flags;
  put16(tcp + 14, 64240);
  put32(tcp + 20, 2u << 24 | 4u << 16 | 1460);  // MSS
  uint32_t sum = sum16(PROTOCOL_TCP + TCP_HEADER, addresses, 2 * bytes);
  put16(tcp + 16, checksum(sum16(sum, tcp, TCP_HEADER)));
  return (size_t)header + TCP_HEADER;
}

// Address number `index` of a prefix: the host bits count up.
static void numbered(uint8_t *out, const uint8_t *prefix, size_t bytes, long bits, uint32_t index) {
  memcpy(out, prefix, bytes);
  uint32_t host_bits = (uint32_t)(bytes * 8 - (size_t)bits);
  if (host_bits < 32) index &= (1u << host_bits) - 1;
  for (size_t i = 0; i < 4; i++) out[bytes - 1 - i] |= (uint8_t)(index >> 8 * i);
}

static int syn_flood(int given, char **args) {
  char *slash = strchr(args[0], '/');
  if (slash == NULL) {
    fprintf(stderr, "%s is not a prefix\n", args[0]);
    return 2;
  }
  *slash = '\0';
  union address prefix = address(args[0]);
  union address destination = address(args[1]);
  int family = destination.any.sa_family;
  int is_v4 = family == AF_INET;
  size_t bytes = is_v4 ? 4 : 16;
  long bits = number(slash + 1, (long)bytes * 8);
  const uint8_t *from = is_v4 ? (uint8_t *)&prefix.v4.sin_addr : (uint8_t *)&prefix.v6.sin6_addr;
  const uint8_t *to = is_v4 ? (uint8_t *)&destination.v4.sin_addr : (uint8_t *)&destination.v6.sin6_addr;
  unsigned port = (unsigned)number(args[2], 65535);
  int64_t rate = number(args[3], 10000000);
  int64_t duration = number(args[4], 600) * 1000000000;
  uint8_t flags = given > 5 ? (uint8_t)number(args[5], 255) : TCP_SYN;

  int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);  // raw(7): headers are ours
  int one = 1;
  if (fd < 0) fail("socket");
  if (!is_v4 && setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof one) < 0) fail("IPV6_HDRINCL");

  static uint8_t packets[BATCH][SYN_MAX];
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH] = {0};
  int64_t begin = now_ns();
  int64_t sent = 0;
  int64_t elapsed = 0;
  for (; elapsed < duration; elapsed = now_ns() - begin) {
    int64_t due = (int64_t)((__int128)rate * elapsed / 1000000000) - sent;
    if (due <= 0) {
      struct timespec tick = {.tv_nsec = TICK_NS};
      nanosleep(&tick, NULL);
      continue;
    }
    int count = due < BATCH ? (int)due : BATCH;
    for (int i = 0; i < count; i++) {
      uint32_t index = (uint32_t)(sent + i);
      uint8_t source[16];
      numbered(source, from, bytes, bits, index);
      unsigned from_port = FIRST_DYNAMIC_PORT + index % DYNAMIC_PORTS;
      parts[i] = (struct iovec){packets[i], tcp_packet(packets[i], family, source, to, from_port, port, flags)};
      messages[i].msg_hdr = (struct msghdr){
          .msg_name = &destination, .msg_namelen = size(&destination), .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    int done = sendmmsg(fd, messages, (unsigned)count, 0);
    if (done < 0 && errno != ENOBUFS && errno != EINTR) fail("sendmmsg");
    if (done > 0) sent += done;
  }
  printf("sent %lld seconds %.3f\n", (long long)sent, (double)elapsed / 1e9);
  return 0;
}

// The kernel's own echo sockets would need a sysctl: a raw one needs none. Replies to others have another number.
static int icmp_echo(char **arguments) {
  union address to = address(arguments[0]);
  int timeout = (int)number(arguments[1], 60000);
  int is_v4 = to.any.sa_family == AF_INET;
  int fd = socket(to.any.sa_family, SOCK_RAW, is_v4 ? 1 : 58);
  if (fd < 0) fail("socket");
  uint32_t mine = random32();
  uint8_t request[8] = {is_v4 ? 8 : 128};
  put32(request + 4, mine);
  if (is_v4) {  // for IPv6 the kernel fills the checksum in
    unsigned sum = 0;
    for (size_t at = 0; at < sizeof request; at += 2) sum += get16(request + at);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(request + 2, ~sum & 0xffff);
  }
  if (sendto(fd, request, sizeof request, 0, &to.any, size(&to)) < 0) return 1;
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (;;) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    int left = timeout - (int)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
    if (left <= 0 || poll(&wait, 1, left) <= 0) return 1;
    uint8_t packet[256];
    ssize_t length = recv(fd, packet, sizeof packet, 0);
    size_t header = is_v4 ? IPV4_HEADER : 0;
    if (length < (ssize_t)(header + sizeof request)) continue;
    if (packet[header] == (is_v4 ? 0 : 129) && get32(packet + header + 4) == mine) return 0;
  }
}

// A datagram that does not look like the usual one.
static int udp_ask(int count, char **arguments) {
  union address to = address(arguments[0]);
  uint16_t port = htons((uint16_t)number(arguments[1], 65535));
  int timeout = (int)number(arguments[2], 60000);
  size_t bytes = (size_t)number(arguments[3], UDP_MAX);
  int is_v4 = to.any.sa_family == AF_INET;
  if (is_v4) to.v4.sin_port = port;
  else to.v6.sin6_port = port;
  int fd = socket(to.any.sa_family, SOCK_DGRAM, 0);
  if (fd < 0) fail("socket");
  if (count > 4) {
    const uint8_t options[8] = {0, 0, 1, 4};  // filled in; eight bytes in all; PadN of four
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, options, sizeof options) < 0) fail("IPV6_DSTOPTS");
  }
  static const uint8_t data[UDP_MAX];
  if (sendto(fd, data, bytes, 0, &to.any, size(&to)) < 0) fail("sendto");
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  uint8_t answer[16];
  return poll(&wait, 1, timeout) > 0 && recv(fd, answer, sizeof answer, 0) > 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  if (strcmp(command, "sctp-serve") == 0 && argc > 2) sctp_serve(argc - 2, argv + 2);
  if (strcmp(command, "sctp-probe") == 0 && argc >= 6) return sctp_probe(argc - 2, argv + 2);
  if (strcmp(command, "icmp-echo") == 0 && argc == 4) return icmp_echo(argv + 2);
  if (strcmp(command, "udp-ask") == 0 && (argc == 6 || argc == 7)) return udp_ask(argc - 2, argv + 2);
  if (strcmp(command, "syn-flood") == 0 && (argc == 7 || argc == 8)) return syn_flood(argc - 2, argv + 2);
  fputs("usage: packets sctp-serve PORT… | sctp-probe SRC DST PORT TIMEOUT_MS [whole] | icmp-echo DST TIMEOUT_MS | "
        "udp-ask DST PORT TIMEOUT_MS BYTES [options] | syn-flood SRC/BITS DST PORT RATE SECONDS [FLAGS]\n", stderr);
  return 2;
}
