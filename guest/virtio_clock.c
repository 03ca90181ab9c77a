/*
 * Time and interrupts of target virtio.
 *
 * The time stamp counter tells the time; how fast it runs is measured once
 * against the timer chip. Interrupts are off but within `sleep_until`, where
 * the timer chip's wakes the processor, so that a sleeping guest costs nothing.
 */
#include "processor.h"
#include "virtio.h"

enum { chip_hz = 1193182 };
enum { chip_clock = 0x40, chip_measure = 0x42, chip_mode = 0x43, chip_gate = 0x61 };
enum { gate_on = 1, gate_speaker = 2, gate_output = 0x20 };

/* Wake-ups a second while sleeping: a sleep is late by no more than 10 ms. */
enum { wakes = 100 };

/* The measured stretch of time is a fiftieth of a second. */
enum { measure_part = 50, measure_rounds = 3 };

/* Both interrupt controllers; their interrupts come after the processor's own. */
enum { first_controller = 0x20, second_controller = 0xa0, interrupt_first = exceptions };

extern const char on_clock[], on_fault[];

static struct gate gates[exceptions + 1];
static uint64_t counter_hz;

/* Each is told in four words: begin, its first interrupt, how they are chained, 8086 mode. Then what it keeps back. */
static void start_controller(uint16_t port, uint8_t first, uint8_t chain, uint8_t masked) {
  out8(port, 0x11);
  out8(port + 1, first);
  out8(port + 1, chain);
  out8(port + 1, 1);
  out8(port + 1, masked);
}

void start_interrupts(void) {
  for (size_t at = 0; at < exceptions; at++) point_gate(&gates[at], on_fault);
  point_gate(&gates[interrupt_first], on_clock);
  load_gates(gates, sizeof gates);

  start_controller(first_controller, interrupt_first, 4, 0xfe); /* lets through the timer chip's alone */
  start_controller(second_controller, interrupt_first + 8, 2, 0xff);
}

/* Lets the chip count down once and returns how far the counter went meanwhile. */
static uint64_t measure(void) {
  uint16_t count = chip_hz / measure_part;
  out8(chip_gate, (uint8_t)((in8(chip_gate) & ~gate_speaker) | gate_on));
  out8(chip_mode, 0xb0); /* channel 2, both bytes, raise the output at zero */
  out8(chip_measure, (uint8_t)count);
  uint64_t start = counter();
  out8(chip_measure, (uint8_t)(count >> 8)); /* starts it */
  while (!(in8(chip_gate) & gate_output)) continue;
  return counter() - start;
}

/* A disturbance only ever makes a round longer, hence the shortest one. */
void start_clock(void) {
  uint64_t shortest = UINT64_MAX;
  for (int round = 0; round < measure_rounds; round++) {
    uint64_t took = measure();
    if (took < shortest) shortest = took;
  }
  counter_hz = shortest * measure_part;

  uint16_t divisor = chip_hz / wakes;
  out8(chip_mode, 0x34); /* channel 0, both bytes, again and again */
  out8(chip_clock, (uint8_t)divisor);
  out8(chip_clock, (uint8_t)(divisor >> 8));
}

uint64_t monotonic_now(void) { return to_nanoseconds(counter(), counter_hz); }

/* `sti` takes effect after the next instruction, so that no interrupt can slip in before the `hlt`. */
void sleep_until(uint64_t deadline) {
  while (monotonic_now() < deadline) __asm__ volatile("sti; hlt; cli" : : : "memory");
}
