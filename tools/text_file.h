// A report, a picture or a draft, written to a file.
#pragma once

#include <string>
#include <string_view>

#include "tools/failure.h"

namespace transom::tools {

// Replaces what is there. Throws Failure with `failure` when not all of it was written.
void write_text_file(const std::string& path, std::string_view text, Exit failure);

}  // namespace transom::tools
