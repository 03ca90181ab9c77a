/*
 * Target virtio: a machine of its own, started by a multiboot loader.
 *
 * Here are the start, the console (the first serial port, polled) and the end;
 * time is in virtio_clock.c, the disk in virtio_block.c. There is no network.
 */
#include "virtio.h"

enum { serial = 0x3f8, serial_status = serial + 5, serial_ready = 0x20 };

/* QEMU's isa-debug-exit sits here; 41 makes its status 83, as with any Solo5 image. */
enum { exit_port = 0x501, exit_value = 41 };

enum { has_arguments = 1 << 2 };

/* The part of the multiboot information that is of use here. */
struct multiboot_info {
  uint32_t flags;
  uint32_t memory[2];
  uint32_t boot_device;
  uint32_t arguments;
};

/* notes.c has it; the manifest begins after the header and its padding. */
extern const char manifest_note[];
enum { manifest_at = 24 };

/* The note is constant; what is known of the devices goes into this copy, which has room for one. */
static union {
  struct manifest manifest;
  uint8_t room[sizeof(struct manifest) + 2 * sizeof(struct device)];
} attached;

static char arguments[arguments_max + 1];

static void start_serial(void) {
  out8(serial + 1, 0);    /* no interrupts */
  out8(serial + 3, 0x80); /* the next two set the speed: 115200 / 1 */
  out8(serial + 0, 1);
  out8(serial + 1, 0);
  out8(serial + 3, 3); /* 8 data bits, no parity, 1 stop bit */
  out8(serial + 2, 1); /* queue on */
}

static void send(char character) {
  while (!(in8(serial_status) & serial_ready)) continue;
  out8(serial, (uint8_t)character);
}

void console_write(const char *text, size_t length) {
  for (size_t at = 0; at < length; at++) {
    if (text[at] == '\n') send('\r');
    send(text[at]);
  }
}

/* The status is lost: neither way of ending the machine has room for it. */
_Noreturn void stop(int status) {
  (void)status;
  out16(exit_port, exit_value);
  for (;;) __asm__ volatile("cli; hlt");
}

_Noreturn void give_up(const char *reason) {
  size_t length = 0;
  while (reason[length]) length++;
  console_write(reason, length);
  console_write("\n", 1);
  stop(255);
}

/* The processor's exceptions end up here. */
_Noreturn void fault(void) { give_up("processor exception"); }

bool net_write(uint64_t handle, const void *frame, size_t length) {
  (void)handle, (void)frame, (void)length;
  return false;
}

/* The first word is the name of the image, put there by the loader. */
static void copy_arguments(const char *from) {
  while (*from && *from != ' ') from++;
  if (*from) from++;
  for (size_t at = 0; from[at] && at < arguments_max; at++) arguments[at] = from[at];
}

static void attach_devices(void) {
  const struct manifest *declared = (const struct manifest *)(manifest_note + manifest_at);
  attached.manifest.version = declared->version;
  attached.manifest.entries = declared->entries;
  for (uint32_t at = 0; at < declared->entries; at++) {
    attached.manifest.devices[at] = declared->devices[at];
    if (declared->devices[at].type == device_block) start_block(&attached.manifest.devices[at]);
  }
}

_Noreturn void start_virtio(const struct multiboot_info *info) {
  start_serial();
  start_interrupts();
  start_clock();
  if (info->flags & has_arguments) copy_arguments((const char *)(uint64_t)info->arguments);
  attach_devices();
  run("virtio", arguments, &attached.manifest);
}
