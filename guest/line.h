/*
 * A line of output, put together piece by piece and written in one go, so that
 * a reader of the console never sees half a line from one write.
 */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>

void put_text(const char *text);
void put_character(char character);
void put_number(uint64_t number, unsigned digits); /* decimal, at least `digits` long */
void put_hex(uint8_t byte);
void end_line(void);

#endif
