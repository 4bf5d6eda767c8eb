// Who is to be woken when, shared by the drivers and the pace of the watches. Invariant: one entry for each add, in the
// order of time, and taking the next costs the logarithm of their number, however many wait.
#pragma once

#include "base/time.hpp"
#include "ipc/message.hpp"

#include <optional>
#include <set>
#include <utility>

namespace holdfast::prober {

class Deadlines {
  public:
    void add(Time when, ipc::WatchId id) { entries_.emplace(when, id); }
    void remove(Time when, ipc::WatchId id) { entries_.erase({when, id}); }
    Time next() const { return entries_.empty() ? never : entries_.begin()->first; }
    /// The earliest that has come.
    std::optional<ipc::WatchId> take(Time now) {
        if (next() > now || entries_.empty()) return std::nullopt;
        return entries_.extract(entries_.begin()).value().second;
    }

  private:
    std::set<std::pair<Time, ipc::WatchId>> entries_;
};

} // namespace holdfast::prober
