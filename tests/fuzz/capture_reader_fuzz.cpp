// Reads arbitrary octets as a capture: pcap, pcapng, gzip, zstd. Every packet that comes out is as it is
// promised to be, and is written and read again the same.
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/capture/capture_writer.h"
#include "tests/fuzz/require.h"

namespace transom::drivers {
namespace {

struct Kept {
  CapturedPacket packet;
  std::vector<std::uint8_t> octets;
};

// Those that a writer takes: not of a time before 1970.
std::vector<Kept> read(Bytes file) {
  std::vector<Kept> packets;
  auto reader = CaptureReader::of(file);
  if (!reader) {
    require(!reader.error().message.empty());
    return packets;
  }
  std::size_t other_blocks = 0;
  reader->keep_other_blocks([&](const OtherBlock& block) { other_blocks += 1 + block.body.size() % 2; });
  std::uint64_t number = 0;
  while (true) {
    const auto packet = reader->next();
    require(packet ||
            (!packet.error().message.empty() && packet.error().message.find('\n') == std::string::npos));
    if (!packet || !*packet) return packets;
    const CapturedPacket& found = **packet;
    require(found.number == ++number);
    require(found.octets.size() <= found.original_length && found.octets.size() <= 262144);
    require(found.interface < reader->interfaces().size());
    require(found.link_type == reader->interfaces()[found.interface].link_type);
    if (found.time >= Duration::zero() && packets.size() < 64)
      packets.push_back({found, {found.octets.begin(), found.octets.end()}});
  }
}

void write_and_read_again(const std::vector<Kept>& packets) {
  const std::string path = "/proc/self/fd/";
  const int descriptor = memfd_create("capture", 0);
  require(descriptor >= 0);
  auto writer = CaptureWriter::create(path + std::to_string(descriptor), CaptureFormat::kPcapng);
  require(writer.has_value());
  std::vector<const Kept*> taken;
  for (const Kept& kept : packets) {
    CapturedPacket packet = kept.packet;
    packet.octets = kept.octets;
    packet.interface = static_cast<std::uint32_t>(packet.link_type) % 64;
    if (writer->write(packet)) taken.push_back(&kept);
  }
  require(writer->close().has_value());
  auto reader = CaptureReader::open(path + std::to_string(descriptor));
  require(reader.has_value());
  for (const Kept* kept : taken) {
    const auto packet = reader->next();
    require(packet && *packet);
    require((*packet)->time == kept->packet.time && (*packet)->link_type == kept->packet.link_type);
    require((*packet)->original_length == kept->packet.original_length);
    require(std::equal((*packet)->octets.begin(), (*packet)->octets.end(), kept->octets.begin(),
                       kept->octets.end()));
    require((*packet)->comments == kept->packet.comments);
  }
  const auto end = reader->next();
  require(end && !*end);
  close(descriptor);
}

}  // namespace
}  // namespace transom::drivers

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto packets = transom::drivers::read({data, size});
  if (!packets.empty()) transom::drivers::write_and_read_again(packets);
  return 0;
}
