// When a thread reads before it waits.
#include "socket_api/read_ahead.h"

#include <gtest/gtest.h>

namespace transom::sockets {
namespace {

// How often it reads in so many waits, where each read has the same result.
int reads_of(ReadAhead& ahead, int waits, bool found) {
  int reads = 0;
  for (int i = 0; i < waits; ++i) {
    if (!ahead.is_due()) continue;
    ++reads;
    ahead.on_read(found);
  }
  return reads;
}

TEST(ReadAhead, IsTriedAtFirst) { EXPECT_TRUE(ReadAhead().is_due()); }

TEST(ReadAhead, IsSeldomTriedWhereItFindsNothing) {
  ReadAhead ahead;
  reads_of(ahead, 1000, false);
  EXPECT_LE(reads_of(ahead, 6400, false), 101);
}

TEST(ReadAhead, LeavesOneWaitInSixtyFiveToPpollWhereItAlwaysFindsSomething) {
  ReadAhead ahead;
  EXPECT_EQ(reads_of(ahead, 6500, true), 6400);
}

TEST(ReadAhead, IsBackAtOnceWhereItFindsSomethingAgain) {
  ReadAhead ahead;
  reads_of(ahead, 1000, false);
  reads_of(ahead, 64, true);
  EXPECT_GE(reads_of(ahead, 100, true), 90);
}

}  // namespace
}  // namespace transom::sockets
