// The programs of socket_api/README.md: they are what is built, and they work against the kernel, in a
// network namespace of their own.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "drivers/file_descriptor.h"
#include "drivers/tap_device.h"

namespace transom::sockets {
namespace {

using drivers::FileDescriptor;

constexpr int kSkipped = 77;
constexpr int kPatience = 10;  // seconds

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

const std::filesystem::path kRoom = TRANSOM_SOURCE_DIR "/socket_api";
const std::filesystem::path kTests = TRANSOM_SOURCE_DIR "/tests/unit/socket_api";

// Runs `scenario` in a child that has a network namespace, and says how it ended.
int in_own_network(int (*scenario)()) {
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    setpgid(0, 0);
    const int user = geteuid() == 0 ? 0 : CLONE_NEWUSER;
    if (unshare(user | CLONE_NEWNET) != 0 || !drivers::open_tap({})) _exit(kSkipped);
    alarm(kPatience * 3);
    _exit(scenario());
  }
  int status = 0;
  waitpid(child, &status, 0);
  kill(-child, SIGKILL);  // what a scenario that ran out of time has left, or it would keep our output open
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t spawn(const char* program, std::vector<std::string> arguments, int output) {
  const std::string path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t child = -1;
  const int error = posix_spawn(&child, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {  // kill(-1) would be for everybody
    std::fprintf(stderr, "%s: %s\n", path.c_str(), std::strerror(error));
    _exit(1);
  }
  return child;
}

sockaddr_in address(const char* text, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  inet_pton(AF_INET, text, &result.sin_addr);
  return result;
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(count));
  return text;
}

// The kernel as the client.
int talk_to_the_server() {
  const pid_t server = spawn("echo_server", {"tap0", "10.9.0.2/24", "10.9.0.1/24"}, STDERR_FILENO);
  const sockaddr_in to = address("10.9.0.2", 7);
  const std::string text(100000, 'e');
  std::string answer;
  for (int attempt = 0; attempt < kPatience * 20 && answer.empty(); ++attempt) {  // until the server is up
    const FileDescriptor client(socket(AF_INET, SOCK_STREAM, 0));
    if (connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    std::thread writer([&] {
      if (send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0) shutdown(client.get(), SHUT_WR);
    });
    answer = read_all(client.get());
    writer.join();
  }
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  return answer == text ? 0 : 1;
}

// The kernel as the server.
int answer_the_client() {
  const FileDescriptor listener(socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in at = address("0.0.0.0", 7777);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      listen(listener.get(), 1) != 0)
    return 1;
  std::array<int, 2> output{};
  if (pipe(output.data()) != 0) return 1;
  const FileDescriptor read_end(output[0]);
  FileDescriptor write_end(output[1]);
  const pid_t client = spawn(
      "echo_client", {"tap0", "10.9.0.2/24", "10.9.0.1/24", "10.9.0.1", "7777", "hello, kernel"}, output[1]);
  write_end.reset();
  const FileDescriptor connection(accept(listener.get(), nullptr, nullptr));
  const std::string text = read_all(connection.get());
  if (write(connection.get(), text.data(), text.size()) < 0) return 1;
  shutdown(connection.get(), SHUT_WR);
  const std::string printed = read_all(read_end.get());
  int status = -1;
  waitpid(client, &status, 0);
  return printed == "hello, kernel" && status == 0 ? 0 : 1;
}

TEST(SocketReadme, ShowsTheProgramsAsTheyAreBuilt) {
  const std::string readme = contents(kRoom / "README.md");
  for (const char* program : {"echo_server.c", "echo_client.c"}) {
    const std::string source = contents(kTests / program);
    EXPECT_NE(readme.find("```c\n" + source + "```\n"), std::string::npos) << program;
    EXPECT_LE(std::count(source.begin(), source.end(), '\n'), 32) << program;
  }
}

TEST(SocketReadme, ShowsCoroutinesThatRun) {
  const std::string readme = contents(kRoom / "README.md");
  EXPECT_NE(readme.find("```cpp\n" + contents(kTests / "coroutine_echo.cpp") + "```\n"), std::string::npos);
  std::array<int, 2> output{};
  ASSERT_EQ(pipe(output.data()), 0);
  const FileDescriptor read_end(output[0]);
  FileDescriptor write_end(output[1]);
  const pid_t program = spawn("coroutine_echo", {"some text"}, output[1]);
  write_end.reset();
  EXPECT_EQ(read_all(read_end.get()), "some text");
  int status = -1;
  waitpid(program, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(SocketReadme, ShowsBuffersWithoutCopyThatArrive) {
  const std::string readme = contents(kRoom / "README.md");
  const std::filesystem::path source = kTests / "zero_copy_cat.cpp";
  EXPECT_NE(readme.find("```cpp\n" + contents(source) + "```\n"), std::string::npos);
  std::array<int, 2> output{};
  ASSERT_EQ(pipe(output.data()), 0);
  const FileDescriptor read_end(output[0]);
  FileDescriptor write_end(output[1]);
  const pid_t program = spawn("zero_copy_cat", {source.string()}, output[1]);
  write_end.reset();
  EXPECT_EQ(read_all(read_end.get()), contents(source));
  int status = -1;
  waitpid(program, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(SocketReadme, ServerAnswersTheKernel) {
  const int status = in_own_network(talk_to_the_server);
  if (status == kSkipped) GTEST_SKIP() << "no network namespace or no TAP device to be had";
  EXPECT_EQ(status, 0);
}

TEST(SocketReadme, ClientIsAnsweredByTheKernel) {
  const int status = in_own_network(answer_the_client);
  if (status == kSkipped) GTEST_SKIP() << "no network namespace or no TAP device to be had";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace transom::sockets
