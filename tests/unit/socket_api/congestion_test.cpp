// TCP_CONGESTION with parameters, and with what a shared object brings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <string>

#include "socket_api/transom.h"

namespace transom::sockets {
namespace {

class CongestionOption : public testing::Test {
 protected:
  CongestionOption() : fd_(transom_socket(stack_, AF_INET, SOCK_STREAM, 0)) {}
  ~CongestionOption() override { transom_stack_destroy(stack_); }

  // The errno of the call; 0 when it was good.
  int choose(const std::string& text) {
    const int status = transom_setsockopt(stack_, fd_, IPPROTO_TCP, TCP_CONGESTION, text.data(),
                                          static_cast<socklen_t>(text.size()));
    return status == 0 ? 0 : errno;
  }
  std::string chosen() {
    char name[16] = {};
    socklen_t size = sizeof name;
    EXPECT_EQ(transom_getsockopt(stack_, fd_, IPPROTO_TCP, TCP_CONGESTION, name, &size), 0);
    return name;
  }

  transom_stack* stack_ = transom_stack_create(nullptr, nullptr, 0);
  int fd_;
};

TEST_F(CongestionOption, TakesParametersAndTellsTheName) {
  EXPECT_EQ(choose("cubic:beta=0.8,c=0.6"), 0);
  EXPECT_EQ(chosen(), "cubic");
  EXPECT_EQ(choose("cubic:beta=2"), EINVAL);
  EXPECT_EQ(choose("cubic:alpha=1"), EINVAL);
  EXPECT_EQ(choose("tahoe"), ENOENT);
}

TEST_F(CongestionOption, KnowsWhatWasLoadedByItsName) {
  EXPECT_EQ(choose("aimd"), ENOENT);
  EXPECT_EQ(transom_load_congestion_control(stack_, TRANSOM_PLUGINS "/aimd.so", nullptr, 0), 0);
  EXPECT_EQ(choose("aimd:increase=2"), 0);
  EXPECT_EQ(chosen(), "aimd");
}

TEST_F(CongestionOption, SaysWhyAnObjectCannotBeLoaded) {
  char error[64] = {};
  EXPECT_EQ(transom_load_congestion_control(stack_, TRANSOM_PLUGINS "/none.so", error, sizeof error), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_THAT(std::string(error), testing::StartsWith("cannot load the congestion control"));
  EXPECT_EQ(std::string(error).size(), sizeof error - 1) << "cut to the room that there is";
}

}  // namespace
}  // namespace transom::sockets
