// The way in that needs no bus: peer-to-peer D-Bus on a socket in the runtime directory, with the same objects. Who is
// calling is what the kernel says of the other end. Clients are few and bounded; one that does not read is not read
// either, and is let go when too much waits for it, or when what waits does not become less for long.
#pragma once

#include "bus/driver.hpp"
#include "bus/exchange.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

namespace holdfast::bus {

class PrivateSocket {
  public:
    static constexpr std::size_t most_clients = 32;
    static constexpr std::uint64_t most_unsent = 16'384; ///< messages; ten thousand servers may come at once
    static constexpr std::chrono::seconds longest_stall{30};

    /// `missing` is told why there is no socket, if there is none. `path` empty: none is wanted.
    PrivateSocket(sd_event* event, Exchange& exchange, std::filesystem::path path,
                  const std::function<void(std::string)>& missing);
    ~PrivateSocket();
    PrivateSocket(const PrivateSocket&) = delete;
    PrivateSocket& operator=(const PrivateSocket&) = delete;

    /// Whether a caller came this way.
    static bool is_caller(const std::string& caller);
    /// Nothing when it has gone.
    std::optional<uid_t> user_of(const std::string& caller) const;

  private:
    class Client;
    void accept();
    void drop(Client& client);
    void drop_gone();
    void drop_stalled();

    sd_event* event_;
    Exchange& exchange_;
    std::filesystem::path path_;
    std::list<std::unique_ptr<Client>> clients_;
    std::uint64_t last_number_{0};
    Fd listener_;
    std::unique_ptr<Watch> watch_;
    Timer drop_timer_, stall_timer_, accept_timer_;
};

} // namespace holdfast::bus
