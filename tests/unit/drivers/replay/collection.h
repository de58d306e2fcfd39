// The cases of captures/, for tests; whoever includes it is compiled with TRANSOM_SOURCE_DIR.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "drivers/replay/cast.h"

namespace transom::drivers::replay {

// The capture of a case, however it is packed; empty when there is none.
inline std::string input_of(std::string_view name) {
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(TRANSOM_SOURCE_DIR) / "captures" / name))
    if (entry.path().filename().string().starts_with("input.")) return entry.path();
  return {};
}

// What `make` makes of the case, of a reader, its scene and its cast: scripts of the ends that have this
// role. `has_groups`: see Cast.
auto scripts_of_case(std::string_view capture, std::string_view role, auto make, bool has_groups = false) {
  const std::string path = input_of(capture);
  auto first = CaptureReader::open(path);
  const auto scene = survey(*first);
  EXPECT_TRUE(scene);
  auto reader = CaptureReader::open(path);
  auto made = make(*reader, *scene, Cast(*scene, *Role::parse(role), has_groups));
  EXPECT_TRUE(made);
  EXPECT_FALSE(made->empty());
  return std::move(*made);
}

}  // namespace transom::drivers::replay
