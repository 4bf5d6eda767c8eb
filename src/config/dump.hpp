// model::Config -> the operator's file, every value written out. Invariant: load(dump(config)) == config.
#pragma once

#include "config/directive.hpp"
#include "model/config.hpp"

#include <cstdint>
#include <string>

namespace holdfast::config {

/// With Secrets::hide passwords are starred: for people and for the bus.
std::string dump(const model::Config&, Secrets secrets = Secrets::show);

/// FNV-1a over the canonical text: the same on every host, build and release that knows the same directives.
class Hash {
  public:
    void add(std::string_view text) {
        for (const char c : text) {
            value_ ^= static_cast<unsigned char>(c);
            value_ *= 0x100000001b3U;
        }
    }
    std::uint64_t value() const { return value_; }

  private:
    std::uint64_t value_{0xcbf29ce484222325U};
};

/// Of the whole configuration, secrets included.
std::uint64_t hash(const model::Config&);

} // namespace holdfast::config
