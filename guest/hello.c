/*
 * The demo unikernel: greets, repeats its arguments, shows its devices, then
 * does what the arguments say and otherwise prints a line a second, forever.
 */
#include "devices.h"
#include "guest.h"
#include "line.h"
#include "plan.h"

enum { second = 1000000000 };

_Noreturn static void end(const struct plan *plan) {
  if (plan->ending == ending_crash) __builtin_trap();
  stop(plan->status);
}

/* Nothing is asked of the target in here: only a signal from outside ends it. */
_Noreturn static void spin(void) {
  for (;;) __asm__ volatile("");
}

static void flood_line(uint64_t number) {
  put_text("flood ");
  put_number(number, 6);
  end_line();
}

static bool is_over(const struct plan *plan, uint64_t start) {
  return plan->ending != ending_never && monotonic_now() >= start + plan->after * second;
}

_Noreturn static void flood(const struct plan *plan) {
  uint64_t start = monotonic_now();
  for (uint64_t number = 1; !is_over(plan, start); number++) flood_line(number);
  end(plan);
}

/* Each deadline counts from the start, so that a late tick does not delay those after it. */
_Noreturn static void tick(const struct plan *plan) {
  uint64_t start = monotonic_now();
  for (uint64_t number = 1; plan->ending == ending_never || number <= plan->after; number++) {
    sleep_until(start + number * second);
    put_text("tick ");
    put_number(number, 1);
    end_line();
  }
  end(plan);
}

_Noreturn void run(const char *target, const char *arguments, const struct manifest *manifest) {
  struct plan plan = parse_plan(arguments);
  put_text("Hello from fulmar's guest (");
  put_text(target);
  put_text(")");
  end_line();
  put_text("arguments: ");
  put_text(arguments);
  end_line();
  show_devices(manifest, &plan);

  if (plan.spin) spin();
  if (plan.flood_forever) flood(&plan);
  for (uint64_t number = 1; number <= plan.flood_lines; number++) flood_line(number);
  tick(&plan);
}
