#include "tests/conformance/conversation.h"

namespace transom::test {

Conversation::Conversation(const ConversationOptions& options)
    : world(options.config, options.mtu),
      peer(world, 4000, 80, options.family),
      listener(world.listen(80, options.host, 16, options.family)),
      connection([&]() -> tcp::Connection& {
        peer.next = options.irs;
        return peer.connect_to(listener, options.peer, options.window, options.rtt);
      }()) {}

void Conversation::shutdown() {
  world.with([&] { connection.shutdown_send(); });
}

void Conversation::close() {
  world.with([&] { connection.close(); });
}

void Conversation::bring_to(tcp::State state) {
  using enum tcp::State;
  const auto peer_closes = [&] {
    peer.send_next("FA");
    (void)settle();
  };
  const auto host_closes = [&] {
    shutdown();
    peer.expected = peer.expect("FA").sequence() + 1;
  };
  switch (state) {
    case kFinWait1:
      shutdown();
      peer.expect("FA");  // and is not acknowledged
      break;
    case kFinWait2:
      host_closes();
      peer.send_next(".");
      break;
    case kCloseWait:
      peer_closes();
      break;
    case kClosing:
      shutdown();
      peer.expect("FA");
      peer_closes();
      break;
    case kLastAck:
      peer_closes();
      shutdown();
      peer.expect("FA");
      break;
    case kTimeWait:
      host_closes();
      peer_closes();
      break;
    default:
      break;
  }
  EXPECT_EQ(connection.state(), state);
}

void Conversation::acknowledge(std::uint32_t number, std::uint32_t window,
                               std::vector<wire::SackBlock> sacks) {
  Script script{.flags = ".", .sequence = peer.next, .acknowledgment = number, .window = window};
  for (const auto& one : sacks) script.options.add_sack(one);
  if (peer.timestamps)
    script.options.timestamps = wire::TcpTimestamps{peer.timestamp_value, peer.timestamp_echo};
  peer.send(script);
}

std::vector<Answer> Conversation::acknowledge_all(Duration rtt) {
  auto answers = peer.receive_all();
  world.advance(rtt);
  for (const auto& answer : answers) {
    const std::uint32_t end = answer.sequence() + static_cast<std::uint32_t>(answer.payload.size()) +
                              (answer.header.flags.fin ? 1U : 0U);
    if (is_after(SeqNum(end), SeqNum(peer.expected))) peer.expected = end;
    acknowledge(peer.expected);
  }
  return answers;
}

void Conversation::grow_window(std::size_t segments) {
  const std::size_t size = connection.info().send_mss;
  write(letters(segments * size));
  std::size_t done = 0;
  while (done < segments) {
    const std::size_t now = acknowledge_all().size();
    ASSERT_GT(now, 0U);
    done += now;
  }
}

void Conversation::send_at(std::uint32_t offset, std::string_view payload, std::string_view flags) {
  Script script{
      .flags = flags, .sequence = peer.next + offset, .acknowledgment = peer.expected, .payload = payload};
  if (peer.timestamps)
    script.options.timestamps = wire::TcpTimestamps{peer.timestamp_value, peer.timestamp_echo};
  peer.send(script);
}

std::vector<Answer> Conversation::settle(Duration time) {
  world.advance(time);
  return peer.receive_all();
}

std::string name_of(tcp::State state) {
  std::string name;
  bool starts_word = true;
  for (const char letter : to_string(state)) {
    if (letter == '-') {
      starts_word = true;
      continue;
    }
    name += static_cast<char>(starts_word ? std::toupper(letter) : std::tolower(letter));
    starts_word = false;
  }
  return name;
}

std::string payload_of(const std::vector<Answer>& answers) {
  std::string text;
  for (const auto& answer : answers) text += answer.payload;
  return text;
}

std::size_t data_segments(const std::vector<Answer>& answers) {
  return static_cast<std::size_t>(std::count_if(
      answers.begin(), answers.end(), [](const Answer& answer) { return !answer.payload.empty(); }));
}

wire::TcpOptions modern_options(std::uint16_t mss) {
  wire::TcpOptions options;
  options.maximum_segment_size = mss;
  options.sack_permitted = true;
  options.timestamps = wire::TcpTimestamps{100, 0};
  options.window_scale = 7;
  return options;
}

wire::SackBlock block(std::uint32_t left, std::uint32_t right) { return {SeqNum(left), SeqNum(right)}; }

}  // namespace transom::test
