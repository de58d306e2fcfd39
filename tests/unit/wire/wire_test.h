// What the tests of every header share: octets from hex text, and the three ways to be hostile to a parser
// (cut it short, flip each bit, both with a heap block of exactly that size, so that AddressSanitizer sees a
// read past the end).
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stack/base/random.h"
#include "stack/wire/cursor.h"

namespace transom::wire {

using Octets = std::vector<std::uint8_t>;

// "45 00 ff": blanks do not count.
inline Octets hex(std::string_view text) {
  Octets octets;
  std::string digits;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    digits += c;
    if (digits.size() < 2) continue;
    octets.push_back(static_cast<std::uint8_t>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  EXPECT_TRUE(digits.empty()) << "odd number of hex digits";
  return octets;
}

// A copy without slack behind its last octet.
class ExactCopy {
 public:
  explicit ExactCopy(Bytes octets) : memory_(new std::uint8_t[octets.size()]), size_(octets.size()) {
    std::ranges::copy(octets, memory_.get());
  }
  operator Bytes() const { return {memory_.get(), size_}; }
  std::uint8_t& operator[](std::size_t index) { return memory_[index]; }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<std::uint8_t[]> memory_;
  std::size_t size_;
};

// The header as written into exactly `size` octets.
template <typename Header>
Octets written(const Header& header, std::size_t size) {
  Octets octets(size, 0xaa);  // write() must set every one
  Writer writer(octets);
  header.write(writer);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(writer.position(), size);
  return octets;
}

// Writes into every size that is too short: the writer must say so, and nothing may be written past its end.
template <typename Header>
void expect_write_respects_the_end(const Header& header, std::size_t size) {
  for (std::size_t room = 0; room < size; ++room) {
    const std::unique_ptr<std::uint8_t[]> memory(new std::uint8_t[room]);
    Writer writer(MutableBytes(memory.get(), room));
    header.write(writer);
    EXPECT_FALSE(writer.ok()) << room << " of " << size << " octets";
  }
}

// `parse` takes Bytes and gives an expected: every cut must fail with `error`.
template <typename Parse>
void expect_every_cut_fails(Bytes octets, Parse parse, ParseError error = ParseError::kTruncated) {
  for (std::size_t length = 0; length < octets.size(); ++length) {
    const ExactCopy cut(octets.first(length));
    const auto result = parse(Bytes(cut));
    ASSERT_FALSE(result.has_value()) << "cut to " << length << " of " << octets.size();
    EXPECT_EQ(result.error(), error) << "cut to " << length << " of " << octets.size();
  }
}

// What parses must, once written, parse and be written to the same octets. `write` gives Octets.
template <typename Parse, typename Write>
void expect_stable(Bytes octets, Parse parse, Write write) {
  const ExactCopy exact(octets);
  const auto once = parse(Bytes(exact));
  if (!once) return;
  const Octets first = write(*once);
  const ExactCopy again(first);
  const auto twice = parse(Bytes(again));
  ASSERT_TRUE(twice.has_value()) << "what was written does not parse";
  EXPECT_EQ(write(*twice), first);
}

// Flips each bit, and sets each octet to 0 and 255.
template <typename Parse, typename Write>
void expect_stable_under_mutation(Bytes octets, Parse parse, Write write) {
  for (std::size_t i = 0; i < octets.size(); ++i) {
    Octets mutant(octets.begin(), octets.end());
    const std::uint8_t original = mutant[i];
    for (int change = 0; change < 10; ++change) {
      mutant[i] = static_cast<std::uint8_t>(change < 8 ? original ^ (1 << change) : change == 8 ? 0 : 255);
      SCOPED_TRACE("octet " + std::to_string(i) + " is " + std::to_string(mutant[i]));
      expect_stable(mutant, parse, write);
    }
  }
}

// Parses a Reader-style header from the front of some octets.
template <typename Header>
auto parse_front(Bytes octets) {
  Reader reader(octets);
  return Header::parse(reader);
}

inline Octets random_octets(Random& random, std::size_t size) {
  Octets octets(size);
  for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(random.next());
  return octets;
}

}  // namespace transom::wire
