/*
 * Target hvt: a processor of one's own, in 64-bit mode from the start, and a
 * tender that does what is asked of it by hypercall.
 *
 * A hypercall writes the address of its arguments to a port. Memory is mapped
 * onto itself, all below 4 GiB, so that an address fits into the 32 bits.
 * There are no interrupts; a sleep is a hypercall too. The ring, a faster way
 * to the network that the tender offers, stays unused.
 */
#include "guest.h"
#include "processor.h"

enum {
  call_puts = 2,
  call_poll = 3,
  call_block_write = 4,
  call_block_read = 5,
  call_net_write = 6,
  call_net_read = 7,
  call_halt = 8,
};

enum { call_port = 0x500, call_done = 0 };

/* As with any Solo5 image that fails. */
enum { fault_status = 255 };

/* What the tender leaves at the address it passes to the entry point. */
struct boot_info {
  uint64_t memory;
  uint64_t image_end;
  uint64_t counter_hz;
  const char *arguments;
  const struct manifest *manifest;
};

struct puts {
  const char *text;
  uint64_t length;
};

struct poll {
  uint64_t timeout; /* nanoseconds from now */
  uint64_t ready;   /* out: a bit for each handle with a frame waiting */
  int32_t outcome;
};

struct block_transfer {
  uint64_t handle;
  uint64_t offset;
  const void *sector;
  uint64_t length;
  int32_t outcome;
};

struct net_transfer {
  uint64_t handle;
  const void *frame;
  uint64_t length; /* read: the room for a frame, and how long it was */
  int32_t outcome;
};

struct halt {
  uint64_t registers; /* for the tender's dump of a crash; 0: none */
  int32_t status;
};

static const struct boot_info *boot;
static struct gate gates[exceptions];

static void call(uint16_t number, void *arguments) {
  __asm__ volatile("outl %0, %1"
                   :
                   : "a"((uint32_t)(uint64_t)arguments), "d"((uint16_t)(call_port + number))
                   : "memory");
}

void console_write(const char *text, size_t length) {
  struct puts puts = {text, length};
  call(call_puts, &puts);
}

uint64_t monotonic_now(void) { return to_nanoseconds(counter(), boot->counter_hz); }

/* Nobody here wants frames, but one left in the queue would end every sleep at once. */
static void drop_frames(uint64_t ready) {
  static char frame[2048];
  for (uint64_t handle = 1; handle < boot->manifest->entries; handle++) {
    if (!(ready >> handle & 1)) continue;
    struct net_transfer transfer = {.handle = handle, .frame = frame, .length = sizeof frame};
    call(call_net_read, &transfer);
  }
}

void sleep_until(uint64_t deadline) {
  for (uint64_t now = monotonic_now(); now < deadline; now = monotonic_now()) {
    struct poll poll = {.timeout = deadline - now};
    call(call_poll, &poll);
    drop_frames(poll.ready);
  }
}

_Noreturn void stop(int status) {
  struct halt halt = {.status = status};
  for (;;) call(call_halt, &halt);
}

static bool transfer_block(uint16_t number, uint64_t handle, uint64_t offset, const void *sector) {
  struct block_transfer transfer = {handle, offset, sector, boot->manifest->devices[handle].block.sector, -1};
  call(number, &transfer);
  return transfer.outcome == call_done;
}

bool block_read(uint64_t handle, uint64_t offset, void *sector) {
  return transfer_block(call_block_read, handle, offset, sector);
}

bool block_write(uint64_t handle, uint64_t offset, const void *sector) {
  return transfer_block(call_block_write, handle, offset, sector);
}

bool net_write(uint64_t handle, const void *frame, size_t length) {
  struct net_transfer transfer = {handle, frame, length, -1};
  call(call_net_write, &transfer);
  return transfer.outcome == call_done;
}

/* No fault is ever returned from, so a plain function will do as its entry. */
_Noreturn static void fault(void) {
  static const char reason[] = "processor exception\n";
  console_write(reason, sizeof reason - 1);
  stop(fault_status);
}

/* The tender's segment descriptors lie on a page that is not mapped, and entering a gate reads the one of its code. */
static void start_exceptions(void) {
  static const uint64_t descriptors[] = {0, 0x00af9b000000ffff}; /* 8: 64-bit code, with "accessed" set beforehand */
  struct table table = {sizeof descriptors - 1, descriptors};
  __asm__ volatile("lgdt %0" : : "m"(table));
  for (size_t at = 0; at < exceptions; at++) point_gate(&gates[at], fault);
  load_gates(gates, sizeof gates);
}

/* The stack pointer arrives as after a call, which is all a C function asks for. */
_Noreturn void _start(const struct boot_info *info) {
  boot = info;
  start_exceptions();
  run("hvt", info->arguments, info->manifest);
}
