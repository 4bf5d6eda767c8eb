// What the objects have in common that sdbus-c++ exports: their signals, and how a late answer finds its caller.
#pragma once

#include "bus/object.hpp"
#include "bus/sdbus_compat.hpp"
#include "bus/utf8.hpp"

#include <map>
#include <utility>

namespace holdfast::bus {

using Strings = std::vector<std::string>;
using Options = std::map<std::string, sdbus::Variant>;
using sdbus::ObjectPath;
using sdbus::Struct;

/// `Base` is Object or StateObject of its view. The class that derives from it registers and unregisters itself.
template <typename Adaptor, typename Base>
class Exported : public sdbus::AdaptorInterfaces<Adaptor>, public Base {
  protected:
    template <typename View>
    Exported(sdbus::IConnection& connection, std::string path, View shown)
        : sdbus::AdaptorInterfaces<Adaptor>{connection, compat::path(std::move(path))}, Base{std::move(shown)} {}

  public:
    void signal(const Strings& names) override {
        compat::emit_changed(this->getObject(), Adaptor::INTERFACE_NAME, names);
    }
    void signal_added() override { this->getObject().emitInterfacesAddedSignal(); }
    void signal_removed() override { compat::emit_removed(this->getObject(), Adaptor::INTERFACE_NAME); }
};

inline ObjectPath object(std::string path) {
    return ObjectPath{std::move(path)};
}

inline constexpr std::string_view hold_option = "hold-usec", timeout_option = "timeout-usec";
/// {word t}, in microseconds, a century at most; what is not known is refused, so that a typing slip does not pass for "no end".
std::optional<Duration> span_of(const Options&, std::string_view word);

/// {force b}.
engine::Takeover takeover_of(const Options&);
/// 0: the configured one; 255 is an owner's, and is refused.
engine::SetPriority priority_of(std::uint8_t);

std::vector<ObjectPath> trackers_of(const std::vector<model::TrackUse>&);
/// Of each: address, interface, state.
std::vector<Struct<std::string, std::string, std::string>> addresses(const std::vector<engine::AddressView>&);
std::vector<Struct<std::string, bool>> extras(const std::vector<engine::ExtraView>&);

/// sdbus::Result moves only; an Answer is copied. A caller who has gone misses nothing: that is no error of ours, and a
/// connection that has ended is noticed where it is read.
template <typename Value>
Calls::Answer answer_with(sdbus::Result<Value>&& result, Value (*value_of)(const Outcome&)) {
    auto held = std::make_shared<sdbus::Result<Value>>(std::move(result));
    return [held, value_of](const Outcome& outcome) {
        try {
            if (outcome.error.empty())
                held->returnResults(value_of(outcome));
            else
                held->returnError(compat::error(outcome.error, utf8(outcome.text)));
        } catch (const sdbus::Error&) {
            return;
        }
    };
}

inline Calls::Answer answer_with_text(sdbus::Result<std::string>&& result) {
    return answer_with<std::string>(std::move(result), [](const Outcome& outcome) { return utf8(outcome.text); });
}

} // namespace holdfast::bus
