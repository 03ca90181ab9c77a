/*
 * Target spt: the guest is jumped to inside the tender's process and makes
 * Linux system calls itself.
 *
 * A filter kills the process on any call other than those below, and looks at
 * their file descriptors and lengths too.
 */
#include "guest.h"

enum {
  call_read = 0,
  call_write = 1,
  call_pread = 17,
  call_pwrite = 18,
  call_clock_gettime = 228,
  call_exit_group = 231,
  call_epoll_pwait = 281,
  call_timerfd_settime = 286,
};

enum { error_interrupted = -4, error_again = -11 };
enum { console = 1, clock_monotonic = 1, timer_absolute = 1, second = 1000000000, millisecond = 1000000 };

/* What the tender leaves at the address it passes to the entry point. */
struct boot_info {
  uint64_t memory;
  uint64_t image_end;
  const char *arguments;
  const struct manifest *manifest;
  int32_t epoll;
  int32_t timer;
};

struct time {
  int64_t seconds;
  int64_t nanoseconds;
};

struct timer_setting {
  struct time interval;
  struct time deadline;
};

struct event {
  uint32_t what;
  uint64_t data; /* a device's handle, or timer_event */
} __attribute__((packed));

static const uint64_t timer_event = 0xfffffffe;

static const struct boot_info *boot;

static int64_t call(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
  register uint64_t r10 __asm__("r10") = d;
  register uint64_t r8 __asm__("r8") = e;
  register uint64_t r9 __asm__("r9") = 0;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
}

static uint64_t fd_of(uint64_t handle) { return (uint64_t)boot->manifest->devices[handle].fd; }

/* A full pipe that does not block is tried again; without a reader there is nobody to tell. */
void console_write(const char *text, size_t length) {
  while (length) {
    int64_t written = call(call_write, console, (uint64_t)text, length, 0, 0);
    if (written == error_again) sleep_until(monotonic_now() + millisecond);
    if (written == error_again || written == error_interrupted) continue;
    if (written < 0) return;
    text += written;
    length -= (size_t)written;
  }
}

uint64_t monotonic_now(void) {
  struct time now;
  call(call_clock_gettime, clock_monotonic, (uint64_t)&now, 0, 0, 0);
  return (uint64_t)now.seconds * second + (uint64_t)now.nanoseconds;
}

/* Nobody here wants frames, but one left in the queue would end every sleep at once. */
static void drop_frame(uint64_t handle) {
  static char frame[2048];
  call(call_read, fd_of(handle), (uint64_t)frame, sizeof frame, 0, 0);
}

void sleep_until(uint64_t deadline) {
  struct timer_setting setting = {
      .deadline = {(int64_t)(deadline / second), (int64_t)(deadline % second) | 1}, /* all zero would disarm it */
  };
  call(call_timerfd_settime, (uint64_t)boot->timer, timer_absolute, (uint64_t)&setting, 0, 0);
  while (monotonic_now() < deadline) {
    struct event event;
    int64_t count = call(call_epoll_pwait, (uint64_t)boot->epoll, (uint64_t)&event, 1, (uint64_t)-1, 0);
    if (count == 1 && event.data != timer_event) drop_frame(event.data);
  }
}

_Noreturn void stop(int status) {
  for (;;) call(call_exit_group, (uint64_t)status, 0, 0, 0, 0);
}

bool block_read(uint64_t handle, uint64_t offset, void *sector) {
  uint16_t length = boot->manifest->devices[handle].block.sector;
  return call(call_pread, fd_of(handle), (uint64_t)sector, length, offset, 0) == length;
}

bool block_write(uint64_t handle, uint64_t offset, const void *sector) {
  uint16_t length = boot->manifest->devices[handle].block.sector;
  return call(call_pwrite, fd_of(handle), (uint64_t)sector, length, offset, 0) == length;
}

bool net_write(uint64_t handle, const void *frame, size_t length) {
  return call(call_write, fd_of(handle), (uint64_t)frame, length, 0, 0) == (int64_t)length;
}

/* The stack pointer arrives as after a call, which is all a C function asks for. */
_Noreturn void _start(const struct boot_info *info) {
  boot = info;
  run("spt", info->arguments, info->manifest);
}
