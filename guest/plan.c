/*
 * Reads the argument line, word by word. A word that is not known, or whose
 * number cannot be read, is skipped: whoever starts the guest adds words of
 * its own, such as --name=.
 */
#include "plan.h"

struct word {
  const char *start;
  size_t length;
};

static struct word next_word(const char **rest) {
  while (**rest == ' ') ++*rest;
  struct word word = {*rest, 0};
  while (**rest && **rest != ' ') ++*rest, word.length++;
  return word;
}

static bool is(struct word word, const char *text) {
  size_t at = 0;
  while (at < word.length && text[at] == word.start[at]) at++;
  return at == word.length && !text[at];
}

/* Cuts `key`, which ends in '=', off the front of the word. */
static bool has_key(struct word word, const char *key, struct word *value) {
  size_t at = 0;
  while (key[at] && at < word.length && key[at] == word.start[at]) at++;
  *value = (struct word){word.start + at, word.length - at};
  return !key[at];
}

/* At most nine digits, so that neither an int nor a sum of nanoseconds overflows. */
static bool read_number(struct word word, uint64_t *number) {
  if (word.length < 1 || word.length > 9) return false;
  uint64_t sum = 0;
  for (size_t at = 0; at < word.length; at++) {
    if (word.start[at] < '0' || word.start[at] > '9') return false;
    sum = sum * 10 + (uint64_t)(word.start[at] - '0');
  }
  *number = sum;
  return true;
}

static void apply(struct plan *plan, struct word word) {
  struct word value;
  uint64_t number;
  if (is(word, "spin")) {
    plan->spin = true;
  } else if (is(word, "crash")) {
    plan->ending = ending_crash;
  } else if (is(word, "flood")) {
    plan->flood_forever = true;
  } else if (has_key(word, "flood=", &value)) {
    if (read_number(value, &number)) plan->flood_lines = number;
  } else if (has_key(word, "after=", &value)) {
    if (!read_number(value, &number)) return;
    plan->after = number;
    if (plan->ending == ending_never) plan->ending = ending_exit;
  } else if (has_key(word, "exit=", &value)) {
    if (!read_number(value, &number)) return;
    plan->status = (int)number;
    plan->ending = ending_exit;
  } else if (has_key(word, "write=", &value)) {
    plan->write = value.start;
    plan->write_length = value.length;
  }
}

struct plan parse_plan(const char *arguments) {
  struct plan plan = {.ending = ending_never};
  for (struct word word = next_word(&arguments); word.length; word = next_word(&arguments)) apply(&plan, word);
  return plan;
}
