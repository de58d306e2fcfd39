// Runs a script against a stack in a shared object, the way packetdrill does it.
//
// What packetdrill does, and so this does, too: the object is loaded with deep binding and nothing of it is
// unloaded; calls that block run in a second thread, which counts as blocked when /proc says that it sleeps;
// the time is the object's, and the last 20 us before an event are a busy loop on it; script time begins
// after 100 ms of real time in which the object's clock is sampled; what is open at the end is closed with
// the C library's close(), then each connection is reset, then the object is freed.
#pragma once

#include <condition_variable>
#include <deque>
#include <thread>

#include "tests/packetdrill/calls.h"

namespace packetdrill {

// The options of packetdrill of the same names.
struct RunOptions {
  std::string so_filename;
  std::string so_flags;
  std::string ip_version = "ipv4";  // ipv4, ipv6, ipv4-mapped-ipv6
  std::string local_ip;
  std::string remote_ip;
  bool verbose = false;
};

// Throws Failure.
void run_script(const RunOptions& options, const std::string& script);

}  // namespace packetdrill
