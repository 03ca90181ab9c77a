/*
 * The three ELF notes of a Solo5 image: the OpenBSD marker, for which target
 * and ABI version it is, and which devices it wants.
 *
 * Each gets a section and, in guest.ld, a program header of its own, because
 * the tenders read only the first note behind a program header. The compiler
 * is told TARGET and, for an image with a device, DEVICE_NAME and DEVICE_TYPE.
 */
#include "guest.h"

/* Target number and ABI version; both must equal the tender's. */
#define TARGET_hvt 1, 2
#define TARGET_spt 2, 2
#define TARGET_virtio 3, 1
#define ABI_OF(target) ABI_OF_EXPANDED(target)
#define ABI_OF_EXPANDED(target) TARGET_##target

#ifdef DEVICE_NAME
#define DEVICES {.name = DEVICE_NAME, .type = DEVICE_TYPE}
enum { entries = 2 };
#else
#define DEVICES
enum { entries = 1 };
#endif

/* Aligned explicitly, as gcc puts large constants further apart than their type needs. */
#define NOTE(name, type) __attribute__((section(".note.solo5." name), used, aligned(_Alignof(type)))) const

struct note_header {
  uint32_t name_length;
  uint32_t length;
  uint32_t type;
  char name[8];
};

/* What follows the header is aligned to its own needs; the padding in between counts as part of the note. */
#define LENGTH_OF(note) (sizeof(note) - sizeof(struct note_header))

static NOTE("not_openbsd", uint32_t) struct {
  struct note_header header;
  uint32_t nothing;
} openbsd = {{8, LENGTH_OF(openbsd), 1, "OpenBSD"}, 0};

static NOTE("abi", uint32_t) struct {
  struct note_header header;
  uint32_t abi[4];
} abi = {{6, LENGTH_OF(abi), 0x31494241, "Solo5"}, {ABI_OF(TARGET)}};

/* Not static: virtio finds its manifest here, as nobody passes it one. */
NOTE("manifest", struct device) struct {
  struct note_header header;
  _Alignas(struct device) uint32_t version;
  uint32_t entries;
  struct device devices[entries];
} manifest_note = {
    {6, LENGTH_OF(manifest_note), 0x3154464d, "Solo5"}, 1, entries, {{.type = device_reserved_first}, DEVICES}};

/* There is no such interpreter, so Linux refuses to run the image as a program of its own. */
__attribute__((section(".interp"), used)) static const char interpreter[] = "/nonexistent/solo5/";
