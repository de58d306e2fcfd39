// The settings of a running host by the names that Linux gives them (ip-sysctl.rst), where the meaning is the
// same.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stack/host.h"

namespace transom::tools {

struct Setting {
  std::string name;  // "net.ipv4.tcp_sack"
  std::string value;
  bool is_read_only = false;
};

// All of them, sorted by name.
std::vector<Setting> settings_of(Host& host);

// Changes one. Throws Failure for an unknown name, a value out of range, or one that can only be read.
// Slashes are as good as dots in a name.
void change_setting(Host& host, std::string_view name, std::string_view value);

}  // namespace transom::tools
