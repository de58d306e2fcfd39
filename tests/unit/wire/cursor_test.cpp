#include "stack/wire/cursor.h"

#include "tests/unit/wire/wire_test.h"

namespace transom::wire {
namespace {

TEST(Reader, ReadsNetworkOrder) {
  const Octets octets = hex("01 0203 04050607 08090a0b0c0d0e0f");
  Reader reader(octets);
  EXPECT_EQ(reader.u8(), 0x01);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u32(), 0x04050607U);
  EXPECT_EQ(reader.u64(), 0x08090a0b0c0d0e0fULL);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(Reader, GivesZeroAfterTheFirstReadOutOfRange) {
  const ExactCopy octets(hex("ffffff"));
  Reader reader(octets);
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0) << "the error is sticky, even for what would fit";
  EXPECT_TRUE(reader.bytes(1).empty());
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, RefusesEveryNumberThatIsCutShort) {
  const ExactCopy octets(hex("ffffffffffffffff"));
  for (std::size_t length = 0; length < 8; ++length) {
    const ExactCopy cut(Bytes(octets).first(length));
    Reader reader(cut);
    EXPECT_EQ(reader.u64(), 0U);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(Reader, HandsOutViewsAndTheRest) {
  const Octets octets = hex("0102030405");
  Reader reader(octets);
  reader.skip(1);
  const Bytes part = reader.bytes(2);
  EXPECT_EQ(part.data(), octets.data() + 1);
  EXPECT_EQ(part.size(), 2U);
  EXPECT_EQ(reader.position(), 3U);
  EXPECT_EQ(reader.rest().size(), 2U);
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_TRUE(reader.ok());
  reader.skip(1);
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, IsNotFooledByACountNearTheLargest) {
  const Octets octets = hex("0102030405");
  Reader reader(octets);
  reader.skip(3);
  EXPECT_TRUE(reader.bytes(SIZE_MAX).empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Reader, AcceptsNothingAtAll) {
  Reader reader(Bytes{});
  EXPECT_TRUE(reader.bytes(0).empty());
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(Writer, IsTheMirrorOfReader) {
  Octets octets(20, 0xaa);
  Writer writer(octets);
  writer.u8(0x01);
  writer.u16(0x0203);
  writer.u32(0x04050607);
  writer.u64(0x08090a0b0c0d0e0fULL);
  writer.bytes(hex("1011"));
  writer.zeros(2);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(writer.position(), 19U);
  EXPECT_EQ(writer.remaining(), 1U);
  EXPECT_EQ(octets, hex("0102030405060708090a0b0c0d0e0f1011 0000 aa"));
}

TEST(Writer, DoesNothingAfterTheFirstWriteOutOfRange) {
  Octets octets(3, 0xaa);
  Writer writer(octets);
  writer.u32(1);
  EXPECT_FALSE(writer.ok());
  writer.u8(1);
  writer.bytes(hex("01"));
  writer.zeros(1);
  EXPECT_TRUE(writer.take(1).empty());
  EXPECT_EQ(octets, hex("aaaaaa"));
}

TEST(Writer, HandsOutOctetsToFillIn) {
  Octets octets(4, 0xaa);
  Writer writer(octets);
  writer.u8(1);
  const MutableBytes part = writer.take(2);
  ASSERT_EQ(part.size(), 2U);
  EXPECT_EQ(part.data(), octets.data() + 1);
  writer.u8(4);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(octets, hex("01aaaa04"));
  EXPECT_TRUE(writer.take(SIZE_MAX).empty());
  EXPECT_FALSE(writer.ok());
}

TEST(Writer, AcceptsNothingAtAll) {
  Writer writer(MutableBytes{});
  writer.bytes({});
  writer.zeros(0);
  EXPECT_TRUE(writer.ok());
}

}  // namespace
}  // namespace transom::wire
