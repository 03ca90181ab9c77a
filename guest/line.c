/* The one line buffer. Whatever does not fit is left out; the longest line holds an argument line. */
#include "line.h"

#include "guest.h"

static char line[arguments_max + 64];
static size_t used;

void put_character(char character) {
  if (used < sizeof line - 1) line[used++] = character; /* one byte stays free for the newline */
}

void put_text(const char *text) {
  while (*text) put_character(*text++);
}

void put_number(uint64_t number, unsigned digits) {
  char reversed[20]; /* 2^64 has 20 digits */
  unsigned count = 0;
  do {
    reversed[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  for (unsigned missing = count; missing < digits; missing++) put_character('0');
  while (count) put_character(reversed[--count]);
}

void put_hex(uint8_t byte) {
  static const char digits[16] = "0123456789abcdef";
  put_character(digits[byte >> 4]);
  put_character(digits[byte & 15]);
}

void end_line(void) {
  line[used++] = '\n';
  console_write(line, used);
  used = 0;
}
