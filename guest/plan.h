/*
 * What the argument line asks for. README.md lists the words.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ending { ending_never, ending_exit, ending_crash };

struct plan {
  enum ending ending;
  int status;
  uint64_t after; /* seconds before the ending */
  bool spin;
  bool flood_forever;
  uint64_t flood_lines;
  const char *write; /* what goes to sector 0, not terminated; NULL: nothing */
  size_t write_length;
};

struct plan parse_plan(const char *arguments);

#endif
