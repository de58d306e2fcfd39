// The clocks and the entropy of the machine, for runs in real time. The stack itself has neither.
#pragma once

#include "stack/base/random.h"
#include "stack/base/time.h"

namespace transom::drivers {

// CLOCK_MONOTONIC: never goes back, stands still while the machine sleeps.
Instant monotonic_now();

// What to add to an Instant of monotonic_now() to get the time since 1970-01-01 UTC, as of this call.
Duration wall_clock_offset();

// 128 bits that nobody can guess.
Seed system_seed();

}  // namespace transom::drivers
