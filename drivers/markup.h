// Text within HTML, XML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace transom::drivers {

// As text or as the value of an attribute in double quotes. What XML has no place for is a space.
std::string escape_markup(std::string_view text);

}  // namespace transom::drivers
