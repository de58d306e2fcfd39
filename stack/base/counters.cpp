#include "stack/base/counters.h"

namespace transom {

namespace {
constexpr std::array<std::string_view, kCounterCount> kNames = {
#define TRANSOM_NAME(name) #name,
    TRANSOM_COUNTERS(TRANSOM_NAME)
#undef TRANSOM_NAME
};
}  // namespace

std::string_view to_string(Counter counter) { return kNames[static_cast<std::size_t>(counter)]; }

}  // namespace transom
