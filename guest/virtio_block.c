/*
 * The disk of target virtio: a legacy virtio device on the PCI bus, polled,
 * with one request under way at a time. One disk is all an image here declares.
 */
#include "virtio.h"

enum { pci_address = 0xcf8, pci_data = 0xcfc, pci_slots = 32 };
enum { pci_identity = 0x00, pci_command = 0x04, pci_bar = 0x10, pci_subsystem = 0x2c };
enum { pci_use_ports = 1, pci_use_memory_itself = 4 };
enum { vendor_virtio = 0x1af4, subsystem_block = 2 };

/* Registers, from the first port of the device. */
enum {
  register_features = 4,
  register_queue_page = 8,
  register_queue_size = 12,
  register_queue = 14,
  register_notify = 16,
  register_status = 18,
  register_capacity = 20,
};

enum { status_seen = 1, status_driver = 2, status_ready = 4 };

enum { sector_length = 512, page = 4096, queue_max = 1024 };
enum { descriptor_more = 1, descriptor_device_writes = 2, no_interrupts = 1 };
enum { request_read = 0, request_write = 1 };

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

/* What we offer to the device. It follows the descriptors, of which there are as many as slots. */
struct offered {
  uint16_t flags;
  uint16_t index;
  uint16_t slots[];
};

/* What the device is done with. It starts on a page of its own. */
struct done {
  uint16_t flags;
  uint16_t index;
};

struct request {
  uint32_t kind;
  uint32_t reserved;
  uint64_t sector;
};

/* Room for 1024 descriptors and the two rings behind them. */
static uint8_t queue[queue_max * 16 + page + 3 * page] __attribute__((aligned(4096)));
static volatile struct descriptor *const descriptors = (struct descriptor *)queue;
static volatile struct offered *offered;
static volatile struct done *done;
static uint16_t queue_size;
static uint16_t ports;

static uint32_t read_pci(uint32_t slot, uint32_t at) {
  out32(pci_address, 0x80000000 | slot << 11 | at);
  return in32(pci_data);
}

static void write_pci(uint32_t slot, uint32_t at, uint32_t value) {
  out32(pci_address, 0x80000000 | slot << 11 | at);
  out32(pci_data, value);
}

static bool is_disk(uint32_t slot) {
  return (read_pci(slot, pci_identity) & 0xffff) == vendor_virtio &&
         read_pci(slot, pci_subsystem) >> 16 == subsystem_block;
}

/* The rings' places follow from the number of slots, which the device alone decides. */
static void start_queue(void) {
  out16(ports + register_queue, 0);
  queue_size = in16(ports + register_queue_size);
  if (queue_size == 0 || queue_size > queue_max) give_up("disk: queue size not supported");
  size_t offered_at = queue_size * sizeof(struct descriptor);
  size_t offered_end = offered_at + sizeof(struct offered) + queue_size * 2u + 2;
  offered = (struct offered *)(queue + offered_at);
  done = (struct done *)(queue + (offered_end + page - 1) / page * page);
  offered->flags = no_interrupts;
  out32(ports + register_queue_page, (uint32_t)((uint64_t)queue / page));
}

void start_block(struct device *device) {
  uint32_t slot = 0;
  while (slot < pci_slots && !is_disk(slot)) slot++;
  if (slot == pci_slots) give_up("disk: declared but not attached");
  write_pci(slot, pci_command, read_pci(slot, pci_command) | pci_use_ports | pci_use_memory_itself);
  ports = (uint16_t)(read_pci(slot, pci_bar) & ~3u); /* the low bits say that it is ports */

  out8(ports + register_status, 0);
  out8(ports + register_status, status_seen | status_driver);
  out32(ports + register_features, 0); /* none of the options */
  start_queue();
  out8(ports + register_status, status_seen | status_driver | status_ready);

  uint64_t sectors = in32(ports + register_capacity) | (uint64_t)in32(ports + register_capacity + 4) << 32;
  device->block.capacity = sectors * sector_length;
  device->block.sector = sector_length;
  device->attached = true;
}

static void describe(uint16_t at, volatile void *start, uint32_t length, uint16_t flags) {
  descriptors[at].address = (uint64_t)start;
  descriptors[at].length = length;
  descriptors[at].flags = flags;
  descriptors[at].next = (uint16_t)(at + 1);
}

/* The empty assembler statements keep the compiler from moving memory accesses; x86 keeps the order itself. */
static bool transfer(uint32_t kind, uint64_t offset, void *sector) {
  static struct request request;
  static volatile uint8_t status;
  request = (struct request){.kind = kind, .sector = offset / sector_length};
  status = 0xff;
  describe(0, &request, sizeof request, descriptor_more);
  describe(1, sector, sector_length, descriptor_more | (kind == request_read ? descriptor_device_writes : 0));
  describe(2, &status, 1, descriptor_device_writes);

  uint16_t index = offered->index;
  offered->slots[index % queue_size] = 0; /* the first descriptor */
  __asm__ volatile("" : : : "memory");
  offered->index = (uint16_t)(index + 1);
  __asm__ volatile("mfence" : : : "memory");
  out16(ports + register_notify, 0);
  while (done->index != offered->index) __asm__ volatile("pause" : : : "memory");
  __asm__ volatile("" : : : "memory");
  return status == 0;
}

bool block_read(uint64_t handle, uint64_t offset, void *sector) {
  (void)handle;
  return transfer(request_read, offset, sector);
}

bool block_write(uint64_t handle, uint64_t offset, const void *sector) {
  (void)handle;
  return transfer(request_write, offset, (void *)sector);
}
