// Packets that are not what they say, for tests:
//
//   forge socket SRC DST PORT                 UDP from an address that need not be the sender's (IP_FREEBIND)
//   forge routed TYPE FIRST FINAL PORT        UDP with a routing header of TYPE 0, 2 or 4, or TYPE lsrr or ssrr, that leads
//                                             over FIRST; IPv6 and IPv4
//   forge frame IFACE SRC_LINK DST_LINK SRC DST PORT
//                                             UDP in a frame of its own, past the kernel's routing
//   forge arp IFACE DST_LINK SRC DST          says to DST that SRC is at the interface's own link-layer address
//   forge flood IFACE DST_LINK SRC DST SECONDS
//                                             says so without being asked, a thousand times a second: ARP, or advertisements
//   forge advert IFACE                        a router advertisement of IFACE's own link-local address, to all nodes
//
// Exit 0: sent; 1: the system refused to send; 2: bad arguments. frame, arp, flood and advert need CAP_NET_RAW.
// Formats: RFC 791, 768, 826, 4861, 8754, 8200; packet(7), ip(7), ipv6(7).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78  // linux/in6.h
#endif

enum { FAILED = 1, BAD = 2, LINK = 6, FRAME_MAX = 512, TTL = 64, ND_HOPS = 255, UDP_HEADER = 8, ARP = 28, ADVERTISEMENT = 32 };

static const char TEXT[] = "forged\n";

static int bad(const char *what) {
  fprintf(stderr, "forge: %s\n", what);
  return BAD;
}

static int failed(const char *what) {
  perror(what);
  return FAILED;
}

static int is6(const char *address) { return strchr(address, ':') != NULL; }

static socklen_t fill(struct sockaddr_storage *into, const char *address, int port) {
  memset(into, 0, sizeof *into);
  if (is6(address)) {
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)into;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    inet_pton(AF_INET6, address, &six->sin6_addr);
    return sizeof *six;
  }
  struct sockaddr_in *four = (struct sockaddr_in *)into;
  four->sin_family = AF_INET;
  four->sin_port = htons((uint16_t)port);
  inet_pton(AF_INET, address, &four->sin_addr);
  return sizeof *four;
}

static int send_to(int fd, const char *address, int port) {
  struct sockaddr_storage to;
  const socklen_t length = fill(&to, address, port);
  if (sendto(fd, TEXT, sizeof TEXT - 1, 0, (struct sockaddr *)&to, length) < 0) return failed("sendto");
  return 0;
}

static int from_socket(char **argv) {
  const int six = is6(argv[0]);
  const int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (fd < 0) return failed("socket");
  if (six ? setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on)
          : setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on))
    return failed("freebind");
  // IPv4 needs more than that to send.
  if (!six && setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on)) return failed("transparent");
  struct sockaddr_storage from;
  const socklen_t length = fill(&from, argv[0], 0);
  if (bind(fd, (struct sockaddr *)&from, length)) return failed("bind");
  return send_to(fd, argv[1], atoi(argv[2]));
}

static int routed(char **argv) {
  const char *type = argv[0], *first = argv[1], *final = argv[2];
  const int six = is6(final);
  const int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("socket");
  if (six) {
    uint8_t header[40] = {0, 0, (uint8_t)atoi(type), 1};
    size_t length = 24;
    if (header[2] == 4) {  // segments in reverse, the way there first
      header[1] = 4;
      header[4] = 1;
      inet_pton(AF_INET6, final, header + 8);
      inet_pton(AF_INET6, first, header + 24);
      length = 40;
    } else {
      header[1] = 2;
      inet_pton(AF_INET6, first, header + 8);
    }
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, header, (socklen_t)length)) return failed("routing header");
  } else {
    uint8_t option[8] = {strcmp(type, "ssrr") == 0 ? 137 : 131, 7, 4};
    inet_pton(AF_INET, first, option + 3);
    if (setsockopt(fd, IPPROTO_IP, IP_OPTIONS, option, sizeof option)) return failed("options");
  }
  return send_to(fd, final, atoi(argv[3]));
}

static uint16_t folded(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static uint32_t summed(uint32_t sum, const uint8_t *data, size_t length) {
  for (size_t at = 0; at < length; at += 2)
    sum += (uint32_t)(data[at] << 8) | (at + 1 < length ? data[at + 1] : 0);
  return sum;
}

static void put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

// IP header and checksum around `length` bytes of `protocol` behind it; returns the size of the packet.
static size_t packet(uint8_t *at, const char *src, const char *dst, uint8_t protocol, uint8_t hops, size_t length,
                     size_t checksum) {
  const int six = is6(src);
  const size_t header = six ? 40 : 20, address = six ? 16 : 4, addresses = six ? 8 : 12;
  memset(at, 0, header);
  if (six) {
    at[0] = 0x60;
    put16(at + 4, (uint16_t)length);
    at[6] = protocol;
    at[7] = hops;
  } else {
    at[0] = 0x45;
    put16(at + 2, (uint16_t)(header + length));
    at[8] = hops;
    at[9] = protocol;
  }
  inet_pton(six ? AF_INET6 : AF_INET, src, at + addresses);
  inet_pton(six ? AF_INET6 : AF_INET, dst, at + addresses + address);
  if (!six) put16(at + 10, folded(summed(0, at, header)));
  uint32_t sum = summed(0, at + addresses, 2 * address) + protocol + (uint32_t)length;
  put16(at + header + checksum, folded(summed(sum, at + header, length)));
  return header + length;
}

static int link_of(const char *text, uint8_t *into) {
  return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", into, into + 1, into + 2, into + 3, into + 4, into + 5) == LINK;
}

// Sends a frame a thousand times a second, once where `seconds` is 0.
static int send_frames(const char *interface, const uint8_t *frame, size_t length, int seconds) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("packet socket");
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
  memcpy(&to.sll_protocol, frame + 2 * LINK, 2);
  to.sll_halen = LINK;
  memcpy(to.sll_addr, frame, LINK);
  const time_t until = time(NULL) + seconds;
  do {
    if (sendto(fd, frame, length, 0, (struct sockaddr *)&to, sizeof to) < 0) return failed("send");
    if (seconds > 0) usleep(1000);
  } while (time(NULL) < until);
  return 0;
}

static int send_frame(const char *interface, const uint8_t *frame, size_t length) {
  return send_frames(interface, frame, length, 0);
}

static int own_link(const char *interface, uint8_t *into) {
  struct ifreq request = {0};
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request)) return failed("link-layer address");
  memcpy(into, request.ifr_hwaddr.sa_data, LINK);
  return 0;
}

static int frame(char **argv) {
  uint8_t frame[FRAME_MAX] = {0};
  if (!link_of(argv[1], frame + LINK) || !link_of(argv[2], frame)) return bad("no link-layer address");
  const int six = is6(argv[3]);
  put16(frame + 2 * LINK, six ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
  uint8_t *udp = frame + ETH_HLEN + (six ? 40 : 20);
  const size_t length = UDP_HEADER + sizeof TEXT - 1;
  put16(udp, 40000);
  put16(udp + 2, (uint16_t)atoi(argv[5]));
  put16(udp + 4, (uint16_t)length);
  memcpy(udp + UDP_HEADER, TEXT, sizeof TEXT - 1);
  const size_t size = packet(frame + ETH_HLEN, argv[3], argv[4], IPPROTO_UDP, TTL, length, 6);
  return send_frame(argv[0], frame, ETH_HLEN + size);
}

// A reply to `to`; argv as in `arp`.
static int arp_frame(char **argv, const char *to, uint8_t *frame) {
  if (!link_of(argv[1], frame)) return bad("no link-layer address");
  if (own_link(argv[0], frame + LINK)) return FAILED;
  put16(frame + 2 * LINK, ETHERTYPE_ARP);
  uint8_t *at = frame + ETH_HLEN;
  const uint8_t head[] = {0, 1, 8, 0, LINK, 4, 0, 2};
  memcpy(at, head, sizeof head);
  memcpy(at + 8, frame + LINK, LINK);
  inet_pton(AF_INET, argv[2], at + 14);
  memcpy(at + 18, frame, LINK);
  inet_pton(AF_INET, to, at + 24);
  return 0;
}

static int arp(char **argv) {
  uint8_t frame[FRAME_MAX] = {0};
  const int made = arp_frame(argv, argv[3], frame);
  return made ? made : send_frame(argv[0], frame, ETH_HLEN + ARP);
}

// An advertisement that overrides what is known.
static int neighbour_frame(char **argv, uint8_t *frame) {
  if (!link_of(argv[1], frame)) return bad("no link-layer address");
  if (own_link(argv[0], frame + LINK)) return FAILED;
  put16(frame + 2 * LINK, ETHERTYPE_IPV6);
  uint8_t *icmp = frame + ETH_HLEN + 40;
  icmp[0] = 136;
  icmp[4] = 0xe0;
  inet_pton(AF_INET6, argv[2], icmp + 8);
  icmp[24] = 2;  // its link-layer address
  icmp[25] = 1;
  memcpy(icmp + 26, frame + LINK, LINK);
  packet(frame + ETH_HLEN, argv[2], argv[3], IPPROTO_ICMPV6, ND_HOPS, ADVERTISEMENT, 2);
  return 0;
}

static int flood(char **argv) {
  uint8_t frame[FRAME_MAX] = {0};
  const int six = is6(argv[2]);
  const int made = six ? neighbour_frame(argv, frame) : arp_frame(argv, argv[2], frame);
  if (made) return made;
  return send_frames(argv[0], frame, ETH_HLEN + (six ? 40 + ADVERTISEMENT : ARP), atoi(argv[4]));
}

static int advert(char **argv) {
  struct ifaddrs *all;
  char own[INET6_ADDRSTRLEN] = "";
  if (getifaddrs(&all)) return failed("getifaddrs");
  for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
    if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET6 || strcmp(one->ifa_name, argv[0])) continue;
    const struct in6_addr *address = &((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(address)) inet_ntop(AF_INET6, address, own, sizeof own);
  }
  if (own[0] == '\0') return bad("the interface has no link-local address");
  uint8_t frame[FRAME_MAX] = {0x33, 0x33, 0, 0, 0, 1};
  if (own_link(argv[0], frame + LINK)) return FAILED;
  put16(frame + 2 * LINK, ETHERTYPE_IPV6);
  uint8_t *icmp = frame + ETH_HLEN + 40;
  icmp[0] = 134;
  icmp[4] = TTL;
  put16(icmp + 6, 1800);  // a router for this long, seconds
  icmp[16] = 1;           // its link-layer address
  icmp[17] = 1;
  memcpy(icmp + 18, frame + LINK, LINK);
  const size_t size = packet(frame + ETH_HLEN, own, "ff02::1", IPPROTO_ICMPV6, ND_HOPS, 24, 2);
  return send_frame(argv[0], frame, ETH_HLEN + size);
}

int main(int argc, char **argv) {
  const struct {
    const char *name;
    int arguments;
    int (*run)(char **);
  } commands[] = {{"socket", 3, from_socket}, {"routed", 4, routed}, {"frame", 6, frame}, {"arp", 4, arp}, {"flood", 5, flood}, {"advert", 1, advert}};
  for (size_t index = 0; index < sizeof commands / sizeof *commands; index += 1)
    if (argc == 2 + commands[index].arguments && strcmp(argv[1], commands[index].name) == 0)
      return commands[index].run(argv + 2);
  return bad("see the top of forge.c");
}
