// What transom_stack_create() says of configurations that cannot be.
#include <gmock/gmock.h>

#include <array>
#include <cerrno>
#include <string>

#include "socket_api/transom.h"

namespace transom::sockets {
namespace {

using testing::HasSubstr;

template <typename Fill>
std::string complaint_about(Fill fill) {
  transom_config config{};
  fill(config);
  std::array<char, 256> text{};
  errno = 0;
  EXPECT_EQ(transom_stack_create(&config, text.data(), text.size()), nullptr);
  EXPECT_EQ(errno, EINVAL);
  return text.data();
}

TEST(StackConfig, HasOneDevice) {
  for (const auto second : {&transom_config::tun, &transom_config::packet, &transom_config::xdp}) {
    EXPECT_THAT(complaint_about([&](transom_config& config) {
                  config.tap = "tap0";
                  config.*second = "eth0";
                }),
                HasSubstr("one device"));
  }
  const std::array<const char*, 2> addresses{"10.9.0.2/24", nullptr};
  EXPECT_THAT(complaint_about([&](transom_config& config) { config.addresses = addresses.data(); }),
              HasSubstr("need a device"));
}

TEST(StackConfig, NamesInterfacesThatCanBe) {
  for (const auto device : {&transom_config::packet, &transom_config::xdp}) {
    EXPECT_THAT(complaint_about([&](transom_config& config) { config.*device = "a-name-of-16-chr"; }),
                HasSubstr("not the name of an interface"));
    EXPECT_THAT(complaint_about([&](transom_config& config) {
                  config.*device = "lo";
                  config.mac = "ff:ff:ff:ff:ff:ff";
                }),
                HasSubstr("group address"));
  }
}

}  // namespace
}  // namespace transom::sockets
