// The cases of captures/, for tests; whoever includes it is compiled with TRANSOM_SOURCE_DIR.
#pragma once

#include <filesystem>
#include <string>

namespace transom::drivers::replay {

// The capture of a case, however it is packed; empty when there is none.
inline std::string input_of(std::string_view name) {
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(TRANSOM_SOURCE_DIR) / "captures" / name))
    if (entry.path().filename().string().starts_with("input.")) return entry.path();
  return {};
}

}  // namespace transom::drivers::replay
