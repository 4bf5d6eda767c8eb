// What nginx is to balance, as values: files with upstream blocks, and what became of them.
#pragma once

#include "base/id.hpp"
#include "model/server.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::engine {

/// Names one batch until its answer.
using UpstreamBatchId = Id<struct UpstreamBatchTag, std::uint64_t>;

struct UpstreamFile {
    std::shared_ptr<const model::VirtualServer> server;
    std::vector<model::UpstreamPeer> peers;
    bool only_if_missing{false}; ///< what a process before us knew is better than what is not known yet
};
/// Write the files of one nginx, and where one of them changed have nginx read them; answered by UpstreamsWritten.
struct WriteUpstreams {
    UpstreamBatchId id{};
    model::Upstream nginx; ///< whose unit or PID file it is
    std::vector<UpstreamFile> files;
    bool reload{false}; ///< also when no file changed: the last time it did not take them
};
struct UpstreamsWritten {
    UpstreamBatchId id{};
    std::string problem; ///< why nginx does not have them; empty: it has, or is not running
};

} // namespace holdfast::engine
