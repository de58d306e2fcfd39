#include "stack/base/siphash.h"

#include <bit>

namespace transom {

namespace {

class SipState {
 public:
  explicit SipState(const SipKey& key)
      : v0_(key[0] ^ 0x736f6d6570736575ULL),
        v1_(key[1] ^ 0x646f72616e646f6dULL),
        v2_(key[0] ^ 0x6c7967656e657261ULL),
        v3_(key[1] ^ 0x7465646279746573ULL) {}

  void compress(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
  }

  std::uint64_t finish() {
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_, v1_, v2_, v3_;
};

std::uint64_t little_endian(Bytes octets) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < octets.size(); ++i) word |= std::uint64_t{octets[i]} << (8 * i);
  return word;
}

}  // namespace

std::uint64_t siphash(const SipKey& key, Bytes message) {
  SipState state(key);
  const std::uint64_t length_octet = std::uint64_t{message.size() & 0xff} << 56;
  while (message.size() >= 8) {
    state.compress(little_endian(message.first(8)));
    message = message.subspan(8);
  }
  state.compress(little_endian(message) | length_octet);
  return state.finish();
}

std::uint64_t siphash_words(const SipKey& key, std::span<const std::uint64_t> words) {
  SipState state(key);
  for (const std::uint64_t word : words) state.compress(word);
  state.compress(std::uint64_t{(words.size() * 8) & 0xff} << 56);
  return state.finish();
}

}  // namespace transom
