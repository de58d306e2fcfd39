// Congestion controls as users name them: one that a stack has ("cubic"), one from a shared object by its
// path ("./aimd.so") or by its name ("aimd": the file aimd.so in a directory of the environment variable
// TRANSOM_CONGESTION_PATH); each perhaps with parameters ("./aimd.so:increase=2,decrease=0.8").
//
// An object stays loaded until the program ends: connections hold on to what it has made. Loading runs the
// code of the object; a path must not come from the network. docs/congestion-control.md says how to make one.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "stack/tcp/tcp_layer.h"

namespace transom::drivers {

// Loads what has to be loaded and makes it known to `layer`. `directory`: where relative paths begin. On
// failure: a line that says what is wrong and what to do about it.
std::expected<const tcp::CongestionFactory*, std::string> choose_congestion_control(
    tcp::TcpLayer& layer, std::string_view text, const std::string& directory = ".");

}  // namespace transom::drivers
