// Admissions remembered by source address and destination port, so that the next such connection need not wait for the
// decision. Lost entries only cost time: one per bucket, the newer one stays.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { ADMISSION_BUCKETS = 1024, ADMISSION_ADDRESS_BYTES = 16 };

struct admission {
  uint32_t epoch;  // 0: empty
  uint16_t port;
  bool ipv6;
  uint8_t address[ADMISSION_ADDRESS_BYTES];
};

struct admissions {
  struct admission buckets[ADMISSION_BUCKETS];
};

// `epoch` must be the current one, and is not 0: entries of others are as good as gone.
bool admissions_has(const struct admissions *all, uint32_t epoch, bool ipv6, const uint8_t *address, uint16_t port);
void admissions_add(struct admissions *all, uint32_t epoch, bool ipv6, const uint8_t *address, uint16_t port);
