// The table of what is less than a connection: half-open and TIME-WAIT records. There may be very many of
// them (whoever floods a host makes them), so each is as small as it can be, its place in the table included:
//
//   chunk 0              chunk 1             ...    A chunk has 64 records and the heads of 32 chains.
//   Records ┌───────┬─────────┐  ┌───────┬─────────┐        and chains are numbered through all the chunks,
//   and a │ heads │ records │  │ heads │ records │        record is linked to others by their numbers: 4
//   octets └───────┴─────────┘  └───────┴─────────┘        where a pointer takes 8. A record never moves.
//
// A record is found by its four-tuple: a keyed hash, which nobody outside can aim, chooses the chain. The
// chains grow in number with the chunks, one at a time (linear hashing, Litwin 1980): a new one takes from
// one other what belongs to it by one more bit of the hash. So they stay two records long on average, and
// there is no moment at which the whole table is hashed again.
//
// Each record is also in a list in order of age (RecordOrder), so that those that live equally long expire
// from its front.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "stack/tcp/local_addresses.h"
#include "stack/tcp/secrets.h"

namespace transom::tcp {

using RecordNumber = std::uint32_t;
inline constexpr RecordNumber kNoRecord = UINT32_MAX;

// What each record begins with; the table alone writes it.
struct TableRecord {
  Endpoint remote;
  Port local_port = Port::kNone;
  LocalAddresses::Number local_address = 0;
  RecordNumber next_in_chain = kNoRecord;  // of an unused one: the next unused
  RecordNumber older = kNoRecord;
  RecordNumber newer = kNoRecord;
};

// The two ends of a list of records.
struct RecordOrder {
  RecordNumber oldest = kNoRecord;
  RecordNumber newest = kNoRecord;
};

// `Record` derives from TableRecord.
template <typename Record>
class RecordTable {
 public:
  explicit RecordTable(const SipKey& key) : key_(key), local_addresses_(key) {}

  Record* find(const FourTuple& tuple) const {
    if (size_ == 0) return nullptr;
    for (RecordNumber number = head_of(tuple); number != kNoRecord; number = at(number).next_in_chain) {
      Record& record = at(number);
      if (record.remote == tuple.remote && record.local_port == tuple.local.port &&
          local_addresses_[record.local_address].address == tuple.local.address)
        return &record;
    }
    return nullptr;
  }

  // A new record, the newest of `order`. The caller knows that there is none with this tuple.
  Record& add(const FourTuple& tuple, InterfaceId interface, RecordOrder& order) {
    if (first_unused_ == kNoRecord) add_chunk();
    const RecordNumber number = first_unused_;
    Record& record = at(number);
    first_unused_ = record.next_in_chain;
    record.remote = tuple.remote;
    record.local_port = tuple.local.port;
    record.local_address = local_addresses_.hold({tuple.local.address, interface});
    RecordNumber& head = head_of(tuple);
    record.next_in_chain = head;
    head = number;
    append(number, order);
    ++size_;
    return record;
  }

  // `order`: the one in which it is.
  void remove(Record& record, RecordOrder& order) {
    RecordNumber& link = link_to(record);
    const RecordNumber number = link;
    link = record.next_in_chain;
    unlink(record, order);
    local_addresses_.release(record.local_address);
    record = Record();
    record.next_in_chain = first_unused_;
    first_unused_ = number;
    if (--size_ == 0) release_memory();
  }

  // Makes it the newest of `to`, which may be the one in which it is.
  void move(Record& record, RecordOrder& from, RecordOrder& to) {
    const RecordNumber number = link_to(record);
    unlink(record, from);
    append(number, to);
  }

  Record* oldest(const RecordOrder& order) const { return pointer_to(order.oldest); }
  Record* next(const Record& record) const { return pointer_to(record.newer); }  // the next younger one

  FourTuple tuple(const Record& record) const {
    return {{local_addresses_[record.local_address].address, record.local_port}, record.remote};
  }
  InterfaceId interface(const Record& record) const {
    return local_addresses_[record.local_address].interface;
  }
  std::size_t size() const { return size_; }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::uint32_t chain = 0; chain < chains_; ++chain) {
      for (RecordNumber number = head(chain); number != kNoRecord; number = at(number).next_in_chain)
        visit(at(number));
    }
  }

 private:
  static constexpr std::uint32_t kRecords = 64;
  static constexpr std::uint32_t kChains = 32;
  struct Chunk {
    Chunk() { heads.fill(kNoRecord); }
    std::array<RecordNumber, kChains> heads;
    std::array<Record, kRecords> records;
  };

  Record& at(RecordNumber number) const { return chunks_[number / kRecords]->records[number % kRecords]; }
  Record* pointer_to(RecordNumber number) const { return number == kNoRecord ? nullptr : &at(number); }
  RecordNumber& head(std::uint32_t chain) const { return chunks_[chain / kChains]->heads[chain % kChains]; }

  // As many bits of the hash as number the chains; one less where there is no such chain yet.
  std::uint32_t chain_of(const FourTuple& tuple) const {
    const std::uint32_t mask = std::bit_ceil(chains_) - 1;
    const std::uint32_t chain = static_cast<std::uint32_t>(hash_tuple(key_, tuple)) & mask;
    return chain < chains_ ? chain : chain & (mask >> 1);
  }
  RecordNumber& head_of(const FourTuple& tuple) const { return head(chain_of(tuple)); }

  // What leads to a record in its chain, and has its number.
  RecordNumber& link_to(const Record& record) {
    RecordNumber* link = &head_of(tuple(record));
    while (&at(*link) != &record) link = &at(*link).next_in_chain;
    return *link;
  }

  void append(RecordNumber number, RecordOrder& order) {
    Record& record = at(number);
    record.older = order.newest;
    record.newer = kNoRecord;
    (order.newest == kNoRecord ? order.oldest : at(order.newest).newer) = number;
    order.newest = number;
  }
  void unlink(const Record& record, RecordOrder& order) {
    (record.older == kNoRecord ? order.oldest : at(record.older).newer) = record.newer;
    (record.newer == kNoRecord ? order.newest : at(record.newer).older) = record.older;
  }

  void add_chunk() {
    const auto first = static_cast<RecordNumber>(chunks_.size() * kRecords);
    chunks_.push_back(std::make_unique<Chunk>());
    for (RecordNumber number = first + kRecords; number-- > first;) {
      at(number).next_in_chain = first_unused_;
      first_unused_ = number;
    }
    for (std::uint32_t i = 0; i < kChains; ++i) add_chain();
  }
  void add_chain() {
    const std::uint32_t added = chains_++;
    if (added == 0) return;
    RecordNumber* link = &head(added - std::bit_floor(added));  // all that it gets is there
    while (*link != kNoRecord) {
      const RecordNumber number = *link;
      Record& record = at(number);
      if (chain_of(tuple(record)) == added) {
        *link = record.next_in_chain;
        record.next_in_chain = head(added);
        head(added) = number;
      } else {
        link = &record.next_in_chain;
      }
    }
  }
  // After a flood. Where they come and go one by one the first chunk stays.
  void release_memory() {
    if (chunks_.size() == 1) return;
    chunks_.clear();
    chains_ = 0;
    first_unused_ = kNoRecord;
  }

  SipKey key_;
  LocalAddresses local_addresses_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t chains_ = 0;
  RecordNumber first_unused_ = kNoRecord;
  std::size_t size_ = 0;
};

}  // namespace transom::tcp
