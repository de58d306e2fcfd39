#include "stack/base/drop_reason.h"

#include <array>

namespace transom {

namespace {
constexpr std::array<std::string_view, kDropReasonCount> kNames = {
#define TRANSOM_NAME(name) #name,
    TRANSOM_DROP_REASONS(TRANSOM_NAME)
#undef TRANSOM_NAME
};
}  // namespace

std::string_view to_string(DropReason reason) { return kNames[static_cast<std::size_t>(reason)]; }

}  // namespace transom
