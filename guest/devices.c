/*
 * One device at a time: the start of a disk, the address of a network
 * interface and one frame sent through it.
 */
#include "devices.h"

#include "line.h"

/* Largest sector a tender can be told to use, bytes. */
enum { sector_max = 32768 };

/* How much of a sector goes into the line. */
enum { shown_max = 64 };

/* Shortest Ethernet frame, bytes without its checksum. */
enum { frame_length = 60 };

static char sector[sector_max];

static void show_failure(const struct device *device, const char *what) {
  put_text(device->name);
  put_text(": ");
  put_text(what);
  put_text(" failed");
  end_line();
}

/* The words replace the whole sector, so that what is read back does not depend on what was there. */
static bool write_start(uint64_t handle, const struct device *device, const struct plan *plan) {
  for (size_t at = 0; at < device->block.sector; at++) sector[at] = at < plan->write_length ? plan->write[at] : 0;
  return block_write(handle, 0, sector);
}

static void show_block(uint64_t handle, const struct device *device, const struct plan *plan) {
  if (plan->write && !write_start(handle, device, plan)) show_failure(device, "write");
  if (!block_read(handle, 0, sector)) {
    show_failure(device, "read");
    return;
  }
  put_text(device->name);
  put_text(": ");
  put_number(device->block.capacity, 1);
  put_text(" bytes, sector ");
  put_number(device->block.sector, 1);
  put_text(", starts with: ");
  for (size_t at = 0; at < shown_max && sector[at] >= ' ' && sector[at] <= '~'; at++) put_character(sector[at]);
  end_line();
}

static void show_net(uint64_t handle, const struct device *device) {
  static const char greeting[] = "fulmar guest";
  uint8_t frame[frame_length] = {0};
  for (size_t at = 0; at < 6; at++) {
    frame[at] = 0xff;
    frame[6 + at] = device->net.mac[at];
  }
  frame[12] = 0x88; /* 0x88b5: the EtherType IEEE 802 sets aside for local experiments */
  frame[13] = 0xb5;
  for (size_t at = 0; greeting[at]; at++) frame[14 + at] = (uint8_t)greeting[at];

  put_text(device->name);
  put_text(": MAC ");
  for (size_t at = 0; at < 6; at++) {
    if (at) put_character(':');
    put_hex(device->net.mac[at]);
  }
  put_text(", MTU ");
  put_number(device->net.mtu, 1);
  end_line();
  if (!net_write(handle, frame, sizeof frame)) show_failure(device, "write");
}

void show_devices(const struct manifest *manifest, const struct plan *plan) {
  for (uint64_t handle = 1; handle < manifest->entries; handle++) {
    const struct device *device = &manifest->devices[handle];
    if (device->type == device_block) show_block(handle, device, plan);
    if (device->type == device_net) show_net(handle, device);
  }
}
