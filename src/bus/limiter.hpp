// How often somebody may call: a token bucket for each caller, all of the same size. A caller without a bucket has a full
// one, so those that have filled up again are not kept. Callers beyond the bound share one. Pure.
#pragma once

#include "base/time.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace holdfast::bus {

class Limiter {
  public:
    static constexpr unsigned size = 128, a_second = 32; ///< tokens
    static constexpr std::size_t most = 4096;            ///< a system bus has room for 2,048 connections

    /// Nothing: it may; else how long it has to wait until there are `cost` tokens.
    std::optional<Duration> take(const std::string& caller, unsigned cost, Time now);
    void forget(const std::string& caller) { full_again_.erase(caller); }
    void forget_all() { full_again_.clear(); }
    std::size_t buckets() const { return full_again_.size(); }

  private:
    std::map<std::string, Time, std::less<>> full_again_; ///< when a bucket is full, if nothing is taken any more
};

} // namespace holdfast::bus
