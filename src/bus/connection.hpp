// Our place on the system bus: a line of the exchange, and the name. Objects first, then the name. Whatever fails, the
// line is dropped and tried again after 1 s, 2 s, ... 30 s; nothing here ever blocks.
#pragma once

#include "bus/exchange.hpp"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

namespace holdfast::bus {

class Connection final : public Outside {
  public:
    /// Told why we are not on the bus; empty: we are.
    using Missing = std::function<void(std::string)>;

    /// Told the unique name of each client that has left the bus; empty: the bus itself has, and all names with it.
    using Gone = std::function<void(const std::string&)>;

    Connection(sd_event* event, Exchange& exchange, Missing missing, Gone gone);
    ~Connection() override;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// The objects are there: take the name.
    void serve();
    /// The first attempt has ended, one way or the other.
    bool settled() const { return settled_; }
    /// Answers or signals wait for the bus.
    bool busy() const { return bus_ && unsent(bus_.get()) > 0; }

    /// Calls a method elsewhere on the bus; the answer, or null when there is none, comes later. Arguments as of
    /// sd_bus_call_method(3).
    using OnAnswer = std::function<void(sd_bus_message*)>;
    bool ask(Message call, std::chrono::microseconds timeout, OnAnswer on_answer);
    /// Asks the bus which user a caller is; nothing when it is gone.
    void ask_user(const std::string& caller, std::function<void(std::optional<uid_t>)> then);

    sd_bus* bus() override { return bus_.get(); }
    bool wants_signals() const override { return named_; }
    void given() override;

  private:
    struct Asked {
        Connection* owner;
        OnAnswer on_answer;
        Slot slot;
    };

    void open();
    bool attach();
    int watch_clients(sd_bus_slot** slot);
    void request_name();
    void named(sd_bus_message* answer);
    void ping();
    void fail(std::string text);
    void drop();
    void answer(const Asked* asked, sd_bus_message* message);
    static int on_message(sd_bus_message* message, void* self, sd_bus_error*);

    sd_event* event_;
    Exchange& exchange_;
    Missing missing_;
    Gone gone_;
    RawBus bus_;
    Slot filter_, disconnected_, departed_;
    std::list<Asked> asked_;
    bool settled_{false}, serving_{false}, named_{false};
    Duration retry_;
    std::optional<std::string> failure_; ///< found inside a callback of the line: dropped when that has returned
    Timer open_limit_timer_, retry_timer_, ping_timer_, failure_timer_;
};

/// The address of the system bus, as messages name it.
std::string bus_address();

} // namespace holdfast::bus
