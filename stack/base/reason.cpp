#include "stack/base/reason.h"

#include <array>

namespace transom {

namespace {

struct Entry {
  std::string_view name;
  std::string_view words;
  std::string_view source;
};

constexpr auto kEntries = std::to_array<Entry>({
#define TRANSOM_ENTRY(name, words, source) {#name, words, source},
    TRANSOM_REASONS(TRANSOM_ENTRY)
#undef TRANSOM_ENTRY
});

const Entry& entry(Reason reason) { return kEntries[static_cast<std::size_t>(reason)]; }

}  // namespace

std::string_view to_string(Reason reason) { return entry(reason).name; }
std::string_view words_of(Reason reason) { return entry(reason).words; }
std::string_view source_of(Reason reason) { return entry(reason).source; }

}  // namespace transom
