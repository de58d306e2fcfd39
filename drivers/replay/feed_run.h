// A feed while it runs: what is due when, and what passes between the capture and the Host. Only feed.cpp and
// feed_packets.cpp need it.
#pragma once

#include "drivers/replay/agenda.h"
#include "drivers/replay/datagram_player.h"
#include "drivers/replay/feed_flow.h"
#include "drivers/replay/feed_host.h"
#include "drivers/replay/fragment_joiner.h"
#include "stack/ip/chosen_identifications.h"

namespace transom::drivers::replay {

inline constexpr std::size_t kLinkFlow = SIZE_MAX;  // packets that are in no flow

class Feed final : public tcp::ChosenNumbers, public ip::ChosenIdentifications {
 public:
  Feed(CaptureReader& reader, const Scene& scene, const Cast& cast, const FeedOptions& options,
       FeedListener& listener)
      : reader_(reader),
        scene_(scene),
        cast_(cast),
        options_(options),
        listener_(listener),
        stand_in_(scene, cast,
                  {.seed = options.seed,
                   .congestion_control = options.congestion_control,
                   .observer = options.observer}),
        host_(stand_in_.host()),
        datagrams_(host_) {
    host_.tcp().choose_numbers(this);
    host_.ip().choose_identifications(this);
  }
  ~Feed() {
    host_.tcp().choose_numbers(nullptr);
    host_.ip().choose_identifications(nullptr);
  }

  std::expected<FeedOutcome, CaptureError> run();

  // tcp::ChosenNumbers
  std::optional<SeqNum> initial_sequence(const tcp::FourTuple& tuple) override;
  std::optional<std::uint32_t> timestamp_offset(const tcp::FourTuple& tuple) override;
  // ip::ChosenIdentifications
  std::optional<std::uint32_t> identification(const ip::OutgoingDatagram& datagram) override;

 private:
  FeedFlow& flow(std::size_t number);
  const TcpEnd* our_end(const tcp::FourTuple& tuple) const;

  std::expected<void, CaptureError> read_ahead();
  void schedule(std::size_t number);
  void advance_to(Instant instant);
  void process(std::size_t number);
  bool concerns_us(const IpAddress& destination) const;
  void wait(std::size_t number);
  void give_up(std::size_t number);
  void play_ours(std::size_t number, HeldPacket& packet);
  void feed_theirs(std::size_t number, HeldPacket& packet);
  void learn_of(std::size_t number, std::size_t side, const CapturedPacket& packet, const PacketView* view);
  void get_ready(FeedFlow& flow, const wire::TcpHeader& header);
  void hear(FeedFlow& flow, const PacketView& view, const PacketRecord& record);
  void put_in(std::size_t number, const CapturedPacket& packet, const PacketView* view);
  void insert_partial_ack(std::size_t number, const HeldPacket& like);
  void write_ahead(FeedFlow& flow);
  void after();  // the Host has done something
  void take_sent();
  void on_sent(const CapturedPacket& packet);
  std::optional<std::size_t> flow_of_sent(const CapturedPacket& packet, const PacketView& view);
  void accept();
  FeedOutcome finish();

  CaptureReader& reader_;
  const Scene& scene_;
  const Cast& cast_;
  const FeedOptions& options_;
  FeedListener& listener_;
  FeedHost stand_in_;
  Host& host_;
  DatagramPlayer datagrams_;
  FlowTable table_;
  SegmentJoiner joiner_;
  std::map<std::size_t, FeedFlow> flows_;
  std::map<tcp::FourTuple, std::size_t> current_;      // the flow that a four-tuple stands for now
  std::map<FragmentKey, std::size_t> sent_fragments_;  // of datagrams of ours: their flows
  Agenda agenda_;
  std::vector<TcpPlayer*> woken_;
  const HeldPacket* playing_ = nullptr;  // a datagram of ours
  Instant now_{};
  std::size_t held_ = 0;
  std::size_t blocked_ = 0;  // of those held, behind a blocked packet
  bool has_ended_ = false;   // the capture
  FeedOutcome outcome_;
};

}  // namespace transom::drivers::replay
