#include "admissions.h"

#include <string.h>

// FNV-1a, 32 bit.
static uint32_t bucket_of(bool ipv6, const uint8_t *address, uint16_t port) {
  uint32_t hash = 2166136261u ^ ipv6;
  for (int i = 0; i < ADMISSION_ADDRESS_BYTES; i++) hash = (hash ^ address[i]) * 16777619u;
  hash = (hash ^ (port & 0xff)) * 16777619u;
  hash = (hash ^ (port >> 8)) * 16777619u;
  return hash % ADMISSION_BUCKETS;
}

bool admissions_has(const struct admissions *all, uint32_t epoch, bool ipv6, const uint8_t *address, uint16_t port) {
  const struct admission *found = &all->buckets[bucket_of(ipv6, address, port)];
  return found->epoch == epoch && found->port == port && found->ipv6 == ipv6 &&
         memcmp(found->address, address, ADMISSION_ADDRESS_BYTES) == 0;
}

void admissions_add(struct admissions *all, uint32_t epoch, bool ipv6, const uint8_t *address, uint16_t port) {
  struct admission *bucket = &all->buckets[bucket_of(ipv6, address, port)];
  *bucket = (struct admission){.epoch = epoch, .port = port, .ipv6 = ipv6};
  memcpy(bucket->address, address, ADMISSION_ADDRESS_BYTES);
}
