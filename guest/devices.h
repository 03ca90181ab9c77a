/* Shows that the attached devices work, once, at start. */
#ifndef DEVICES_H
#define DEVICES_H

#include "guest.h"
#include "plan.h"

void show_devices(const struct manifest *manifest, const struct plan *plan);

#endif
