#include "stack/base/siphash.h"

#include <gtest/gtest.h>

#include <vector>

namespace transom {
namespace {

constexpr SipKey kPaperKey = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};  // octets 00, 01, ... 0f

TEST(SipHash, GivesTheVectorOfThePaper) {  // Aumasson and Bernstein, appendix A
  std::vector<std::uint8_t> message(15);
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(siphash(kPaperKey, message), 0xa129ca6149be45e5ULL);
}

TEST(SipHash, GivesTheReferenceVectorsOfEveryTailLength) {
  // The authors' test vectors for the messages "", 00, 00 01, ...
  constexpr std::uint64_t kVectors[] = {
      0x726fdb47dd0e0e31ULL, 0x74f839c593dc67fdULL, 0x0d6c8009d9a94f5aULL, 0x85676696d7fb7e2dULL,
      0xcf2794e0277187b7ULL, 0x18765564cd99a68dULL, 0xcbc9466e58fee3ceULL, 0xab0200f58b01d137ULL,
      0x93f5f5799a932462ULL, 0x9e0082df0ba9e4b0ULL, 0x7a5dbbc594ddb9f3ULL, 0xf4b32f46226bada7ULL,
      0x751e8fbc860ee5fbULL, 0x14ea5627c0843d90ULL, 0xf723ca908e7af2eeULL, 0xa129ca6149be45e5ULL,
  };
  std::vector<std::uint8_t> message;
  for (const std::uint64_t expected : kVectors) {
    EXPECT_EQ(siphash(kPaperKey, message), expected) << message.size() << " octets";
    message.push_back(static_cast<std::uint8_t>(message.size()));
  }
}

TEST(SipHash, OfWordsIsThatOfTheirLittleEndianOctets) {
  const std::vector<std::uint64_t> words = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL,
                                            0x1716151413121110ULL};
  std::vector<std::uint8_t> octets;
  for (std::size_t count = 0; count <= words.size(); ++count) {
    EXPECT_EQ(siphash_words(kPaperKey, std::span(words).first(count)), siphash(kPaperKey, octets)) << count;
    for (int i = 0; i < 8; ++i) octets.push_back(static_cast<std::uint8_t>(octets.size()));
  }
}

TEST(SipHash, DependsOnBothHalvesOfTheKey) {
  const std::uint64_t word = 1;
  const auto hash = [&word](SipKey key) { return siphash_words(key, {&word, 1}); };
  EXPECT_NE(hash({1, 2}), hash({1, 3}));
  EXPECT_NE(hash({1, 2}), hash({2, 2}));
}

}  // namespace
}  // namespace transom
