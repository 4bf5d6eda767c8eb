// Writes nginx's upstream files and has nginx read them, on a thread of its own: a disk and an nginx take their time. What
// nginx refuses is taken back, so that the file on the disk is one that it has read, or would read.
#pragma once

#include "base/mailbox.hpp"
#include "base/worker.hpp"
#include "engine/upstream.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace holdfast::daemon {

class Upstreams {
  public:
    struct Door {
        /// Asks for a reload by systemd; answered by reloaded() with the same number. Called on the thread of the files.
        std::function<void(std::uint64_t id, const std::string& unit)> reload_unit;
        std::function<void(engine::UpstreamsWritten)> report; ///< likewise
    };
    Upstreams(std::filesystem::path directory, Door);
    ~Upstreams();
    Upstreams(const Upstreams&) = delete;
    Upstreams& operator=(const Upstreams&) = delete;

    void write(engine::WriteUpstreams batch) { worker_.ask(std::move(batch)); }
    /// `problem`: why not; empty: it took, or does not run.
    void reloaded(std::uint64_t id, std::string problem) { answers_.push({id, std::move(problem)}); }

  private:
    /// What stood there before, or nothing.
    using Changed = std::map<std::filesystem::path, std::optional<std::string>>;
    struct Answer {
        std::uint64_t id{};
        std::string problem;
        bool end{false};
    };
    std::string carry_out(const engine::WriteUpstreams&);
    std::string write_files(const engine::WriteUpstreams&, Changed&) const;
    std::string reload(const engine::WriteUpstreams&);
    static void take_back(const Changed&);

    std::filesystem::path directory_;
    Door door_;
    Mailbox<Answer> answers_;
    Worker<engine::WriteUpstreams> worker_;
};

} // namespace holdfast::daemon
