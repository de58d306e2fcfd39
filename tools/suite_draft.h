// The first draft of a case: a folder with the capture, a case.toml that expects what is in it, and a
// README.md to be filled in.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace transom::tools {

// `folder` must not exist. Throws Failure: kUsage for an unreadable capture or an existing folder,
// kEnvironment where it cannot be written.
void draft_case(const std::filesystem::path& folder, const std::filesystem::path& capture);

// What the draft expects of these packets.
std::string draft_toml(const std::string& input, const std::vector<nlohmann::json>& packets);

}  // namespace transom::tools
