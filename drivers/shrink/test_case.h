// Packets as the source of a GoogleTest case.
#pragma once

#include <span>
#include <string>

#include "drivers/capture/kept_packet.h"

namespace transom::drivers {

struct TestCase {
  std::string comment;  // one line: what it is about
  std::string
      name;  // words; what is no letter and no digit begins a new one: "rfc5961-3.2-reset" is Rfc596132Reset
  std::string header;  // what has to be included
  // Statements that look at `packets`, a std::vector<KeptPacket>; within namespace transom::drivers.
  std::string body;
};

std::string to_source(const TestCase& test, std::span<const KeptPacket> packets);

}  // namespace transom::drivers
