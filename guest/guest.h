/*
 * What the program and its targets agree on.
 *
 * A target (hvt.c, spt.c, virtio.c with its parts) owns the entry point, finds the
 * argument line and the devices, calls `run`, and implements the functions
 * below. The program calls nothing else, so a further target is one more file.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { device_block = 1, device_net = 2, device_reserved_first = 1 << 30 };

/* One device. The first four fields are what the image declares, the rest is filled in by whoever starts it. */
struct device {
  char name[68];
  uint32_t type;
  union {
    struct {
      uint64_t capacity; /* bytes */
      uint16_t sector;   /* bytes, the only length a read or write may have */
    } block;
    struct {
      uint8_t mac[6];
      uint16_t mtu;
    } net;
  };
  union {
    int32_t fd; /* spt only */
    uint64_t pointer;
  };
  bool attached;
};

/* The layout is the one of the MFT1 note. Entry 0 is a placeholder: a device's handle is its index here. */
struct manifest {
  uint32_t version;
  uint32_t entries;
  struct device devices[];
};

_Static_assert(sizeof(struct device) == 104, "the tenders count in entries of 104 bytes");
_Static_assert(offsetof(struct device, fd) == 88, "where the spt tender leaves the file descriptor");

/* Longest argument line, bytes: what the tenders accept. */
enum { arguments_max = 8191 };

_Noreturn void run(const char *target, const char *arguments, const struct manifest *manifest);

/* Offered by the target. */
void console_write(const char *text, size_t length);
uint64_t monotonic_now(void); /* nanoseconds, from an arbitrary start */
void sleep_until(uint64_t deadline);
_Noreturn void stop(int status);
bool block_read(uint64_t handle, uint64_t offset, void *sector);
bool block_write(uint64_t handle, uint64_t offset, const void *sector);
bool net_write(uint64_t handle, const void *frame, size_t length);

#endif
