#include "drivers/clock.h"

#include <sys/random.h>

#include <cstdlib>
#include <ctime>

namespace transom::drivers {

namespace {

Duration read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Instant monotonic_now() { return Instant(read_clock(CLOCK_MONOTONIC)); }

Duration wall_clock_offset() { return read_clock(CLOCK_REALTIME) - read_clock(CLOCK_MONOTONIC); }

Seed system_seed() {
  Seed seed{};
  // Up to 256 octets are never returned in part. There is no safe way to go on without secrets, so failure is
  // fatal.
  if (getentropy(&seed, sizeof seed) != 0) std::abort();
  return seed;
}

}  // namespace transom::drivers
