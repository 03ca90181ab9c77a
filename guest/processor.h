/*
 * What hvt and virtio share, as each has a whole processor for itself: the
 * counter that tells the time, and where exceptions and interrupts go.
 */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <stddef.h>
#include <stdint.h>

/* The first gates are the processor's own. */
enum { exceptions = 32 };

struct gate {
  uint16_t low;
  uint16_t selector;
  uint8_t stack;
  uint8_t kind;
  uint16_t middle;
  uint32_t high;
  uint32_t zero;
};

static inline uint64_t counter(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

/* In two parts: nanoseconds times counts would overflow within seconds. */
static inline uint64_t to_nanoseconds(uint64_t counts, uint64_t hz) {
  enum { second = 1000000000 };
  return counts / hz * second + counts % hz * second / hz;
}

/* The entry runs with interrupts off, in the code segment 8. */
static inline void point_gate(struct gate *gate, const void *entry) {
  uint64_t address = (uint64_t)entry;
  *gate = (struct gate){
      .low = (uint16_t)address,
      .selector = 8,
      .kind = 0x8e, /* present, interrupts stay off inside */
      .middle = (uint16_t)(address >> 16),
      .high = (uint32_t)(address >> 32),
  };
}

/* How the processor is told where a table lies. */
struct table {
  uint16_t limit; /* its length less one */
  const void *base;
} __attribute__((packed));

static inline void load_gates(const struct gate *gates, size_t size) {
  struct table table = {(uint16_t)(size - 1), gates};
  __asm__ volatile("lidt %0" : : "m"(table) : "memory");
}

#endif
