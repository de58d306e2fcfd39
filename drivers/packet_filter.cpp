#include "drivers/packet_filter.h"

#include <pcap/bpf.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace transom::drivers {

namespace {

static_assert(sizeof(FilterInstruction) == sizeof(bpf_insn));
static_assert(offsetof(FilterInstruction, jump_if_true) == offsetof(bpf_insn, jt));
static_assert(offsetof(FilterInstruction, k) == offsetof(bpf_insn, k));

const bpf_insn* as_pcap(const std::vector<FilterInstruction>& program) {
  return reinterpret_cast<const bpf_insn*>(program.data());
}

// <linux/filter.h>, whose macros and those of libpcap do not bear each other: loads from here on are
// questions.
constexpr std::uint32_t kQuestions = 0xfffff000;  // SKF_AD_OFF
constexpr std::uint32_t kProtocol = 0, kPacketType = 4, kInterface = 8, kMark = 20, kQueue = 24,
                        kHardwareType = 28, kHash = 32, kCpu = 36, kXor = 40, kVlanTag = 44, kHasVlanTag = 48,
                        kVlanProtocol = 60;
constexpr std::uint32_t kFirstSpecial = 0x80000000;  // SKF_NET_OFF and SKF_LL_OFF are among these

bool is_absolute_load(const FilterInstruction& instruction) {
  return BPF_CLASS(instruction.code) == BPF_LD && BPF_MODE(instruction.code) == BPF_ABS;
}

bool is_known(std::uint32_t field) {
  constexpr std::array kKnown{kProtocol, kPacketType, kInterface, kMark,       kQueue,       kHardwareType,
                              kHash,     kCpu,        kVlanTag,   kHasVlanTag, kVlanProtocol};
  return std::ranges::find(kKnown, field) != kKnown.end();
}

// Those that Linux takes. bpf_validate() lets others pass, at which bpf_filter() ends the process.
bool is_instruction(std::uint16_t code) {
  const int operation = BPF_OP(code);
  const bool has_register = BPF_SRC(code) == BPF_X;
  switch (BPF_CLASS(code)) {
    case BPF_LD: {
      const int mode = BPF_MODE(code);
      const bool is_sized = mode == BPF_ABS || mode == BPF_IND;
      const bool is_known_size = BPF_SIZE(code) == BPF_W || (is_sized && BPF_SIZE(code) != BPF_SIZE(0xff));
      return code <= 0xff && is_known_size &&
             (is_sized || mode == BPF_IMM || mode == BPF_MEM || mode == BPF_LEN);
    }
    case BPF_LDX:
      return code == (BPF_LDX | BPF_W | BPF_IMM) || code == (BPF_LDX | BPF_W | BPF_MEM) ||
             code == (BPF_LDX | BPF_W | BPF_LEN) || code == (BPF_LDX | BPF_B | BPF_MSH);
    case BPF_ST:
      return code == BPF_ST;
    case BPF_STX:
      return code == BPF_STX;
    case BPF_ALU:
      return code <= 0xff && (operation == BPF_NEG ? !has_register : operation <= BPF_XOR);
    case BPF_JMP:
      return code <= 0xff && (operation == BPF_JA ? !has_register : operation <= BPF_JSET);
    case BPF_RET:
      return code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A);
    default:
      return code == (BPF_MISC | BPF_TAX) || code == (BPF_MISC | BPF_TXA);
  }
}

std::uint32_t answer(std::uint32_t field, const FilterCircumstances& circumstances) {
  switch (field) {
    case kProtocol:
      return circumstances.protocol;
    case kPacketType:
      return circumstances.packet_type;
    case kInterface:
      return circumstances.interface;
    case kHardwareType:
      return circumstances.hardware_type;
    default:
      return 0;
  }
}

}  // namespace

std::optional<PacketFilter> PacketFilter::make(std::span<const FilterInstruction> program) {
  if (program.empty() || program.size() > kMaxInstructions) return std::nullopt;
  PacketFilter filter;
  filter.program_.assign(program.begin(), program.end());
  for (std::size_t i = 0; i < program.size(); ++i) {
    FilterInstruction& instruction = filter.program_[i];
    if (!is_instruction(instruction.code)) return std::nullopt;
    if (!is_absolute_load(instruction) || instruction.k < kFirstSpecial) continue;
    if (instruction.k < kQuestions) return std::nullopt;
    const std::uint32_t field = instruction.k - kQuestions;
    if (field == kXor) {  // from before BPF had the instruction
      instruction = {.code = BPF_ALU | BPF_XOR | BPF_X};
      continue;
    }
    if (!is_known(field)) return std::nullopt;
    instruction = {.code = BPF_LD | BPF_IMM};
    filter.questions_.push_back({i, field});
  }
  if (bpf_validate(as_pcap(filter.program_), static_cast<int>(program.size())) == 0) return std::nullopt;
  return filter;
}

std::size_t PacketFilter::run(Bytes packet, const FilterCircumstances& circumstances) {
  for (const Question& question : questions_)
    program_[question.place].k = answer(question.field, circumstances);
  const auto size = static_cast<unsigned>(packet.size());
  return std::min<std::size_t>(bpf_filter(as_pcap(program_), packet.data(), size, size), packet.size());
}

}  // namespace transom::drivers
