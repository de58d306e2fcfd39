// A trace of JSON lines is read as a capture.
#include <gtest/gtest.h>

#include "drivers/capture/capture_reader.h"
#include "drivers/capture/packet_view.h"

namespace transom::drivers {
namespace {

std::string packet(std::string_view host, int id, std::string_view direction, std::string_view headers) {
  return fmt::format(
      R"({{"v":1,"id":{},"cause":0,"t_ns":{}000,"event":"packet","host":"{}","direction":"{}","interface":1,"octets":1040,)"
      R"("ethernet":false,"headers":"{}"}})"
      "\n",
      id, id, host, direction, headers);
}

struct Read {
  std::vector<CapturedPacket> packets;  // without their octets
  std::vector<std::uint32_t> payloads;  // of those that can be looked into
  std::string error;
};

Read read(const std::string& text) {
  Read result;
  auto reader = CaptureReader::of(Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  if (!reader) return {.packets = {}, .payloads = {}, .error = reader.error().message};
  while (true) {
    const auto next = reader->next();
    if (!next) {
      result.error = to_string(next.error());
      return result;
    }
    if (!*next) return result;
    if (const auto view = PacketView::parse(**next); view && view->tcp)
      result.payloads.push_back(view->payload_length);
    EXPECT_EQ((*next)->link_type, reader->interfaces().at((*next)->interface).link_type);
    result.packets.push_back(**next);
    result.packets.back().octets = {};
  }
}

const std::string kGood = fmt::format(
    "45000410000100004006{}0a0000010a0000020fa00050000003e80000000050102000{}0000", "0000", "0000");

TEST(JsonTrace, IsReadAsACaptureWithItsDecisionsAsComments) {
  const Read result = read(
      packet("a", 1, "in", kGood) +
      R"({"v":1,"id":2,"cause":1,"t_ns":1,"event":"tcp_state","host":"a","from":"LISTEN","to":"SYN-RECEIVED","reason":"Syn","rfc":"RFC 9293"})"
      "\n" +
      R"({"v":1,"id":3,"cause":0,"t_ns":1,"event":"tcp_send","host":"a","begin":7,"end":8,"reason":"NewData","rfc":"RFC 9293"})"
      "\n\n" +
      packet("a", 4, "out", kGood) + packet("b", 5, "in", kGood));
  EXPECT_EQ(result.error, "");
  ASSERT_EQ(result.packets.size(), 3U);
  EXPECT_EQ(result.payloads, (std::vector<std::uint32_t>{1000, 1000, 1000}));
  EXPECT_EQ(result.packets[0].time, std::chrono::microseconds(1));
  EXPECT_EQ(result.packets[0].original_length, 1040U);
  EXPECT_EQ(result.packets[0].is_outgoing, false);
  EXPECT_EQ(result.packets[0].comments,
            std::vector<std::string>{"tcp_state: Syn [RFC 9293], from LISTEN, to SYN-RECEIVED"});
  EXPECT_EQ(result.packets[1].comments,
            std::vector<std::string>{"tcp_send: NewData [RFC 9293], begin 7, end 8"});
  EXPECT_EQ(result.packets[1].interface, 0U);
  EXPECT_EQ(result.packets[2].interface, 1U) << "of another host";
  EXPECT_EQ(result.packets[2].number, 3U);
}

TEST(JsonTrace, WhatIsNoneIsRefusedWithTheOffset) {
  EXPECT_NE(read("{ }\n").error.find("no event of a trace"), std::string::npos);
  EXPECT_NE(read(packet("a", 1, "in", kGood) + "{\"event\":\n")
                .error.find(fmt::format("at octet {}", packet("a", 1, "in", kGood).size())),
            std::string::npos);
  EXPECT_NE(read(packet("a", 1, "in", "4x")).error.find("hexadecimal"), std::string::npos);
  EXPECT_NE(read(R"({"event":"packet","headers":7})").error.find("another type"), std::string::npos);
  EXPECT_NE(read(R"({"event":"packet","headers":"","t_ns":9223372036854775807})").error.find("146 years"),
            std::string::npos);
  EXPECT_NE(read("{" + std::string(100000, ' ')).error.find("a line of more than"), std::string::npos);
  const Read cut = read(packet("a", 1, "in", kGood).substr(0, 60));
  EXPECT_NE(cut.error, "");
}

TEST(JsonTrace, NumbersThatNoFieldCanHaveDoNoHarm) {
  const Read result =
      read(R"({"event":"packet","headers":"00","octets":1e22,"interface":-1,"id":1e300,"t_ns":0.5})"
           "\n");
  EXPECT_EQ(result.error, "");
  ASSERT_EQ(result.packets.size(), 1U);
  EXPECT_EQ(result.packets[0].original_length, 1U);
}

TEST(JsonTrace, PacketsWithoutHeadersArePassedOver) {
  EXPECT_TRUE(
      read(R"({"v":1,"id":1,"cause":0,"t_ns":0,"event":"packet","direction":"in","interface":1,"octets":60})")
          .packets.empty());
}

}  // namespace
}  // namespace transom::drivers
