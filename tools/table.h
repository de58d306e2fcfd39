// Columns as wide as they need to be.
#pragma once

#include <string>
#include <vector>

namespace transom::tools {

// Prints rows to standard output; `right` has the columns that are aligned to the right.
void print_table(const std::vector<std::vector<std::string>>& rows,
                 const std::vector<std::size_t>& right = {});

}  // namespace transom::tools
