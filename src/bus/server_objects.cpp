// org.holdfast1.VirtualServer and org.holdfast1.RealServer.
#include "bus/clock.hpp"
#include "bus/counters.hpp"
#include "bus/exported.hpp"
#include "bus/names.hpp"
#include "bus/server_describe.hpp"
#include "realserver_adaptor.hpp"
#include "virtualserver_adaptor.hpp"

#include <fmt/format.h>

namespace holdfast::bus {
namespace {

using What = engine::ServerCommand::What;

class VirtualServer final : public Exported<org::holdfast1::VirtualServer_adaptor, VirtualServerObject> {
  public:
    VirtualServer(sdbus::IConnection& connection, const std::shared_ptr<const engine::VirtualServerView>& view_,
                  const Shown& shown, Calls& calls)
        : Exported{connection, virtual_server_path(view_->model->name), view_}, shown_{shown}, calls_{calls} {
        registerAdaptor();
    }
    ~VirtualServer() override { unregisterAdaptor(); }

    void signal_edge(const engine::Transition& edge) override {
        emitStateChanged(edge.from, edge.to, utf8(edge.reason), realtime_usec(edge.at));
    }

  private:
    using Late = sdbus::Result<std::string>;
    const engine::IpvsListed* listed() const { return shown_.snapshot->ipvs.get(); }

    void AddServer(Late&& result, std::string name, std::string directives, bool persistent) override {
        calls_.change({view->model->name, std::move(name), std::move(directives), persistent},
                      answer_with_text(std::move(result)));
    }
    void RemoveServer(Late&& result, std::string name) override {
        calls_.change({view->model->name, std::move(name), std::nullopt}, answer_with_text(std::move(result)));
    }
    std::string Describe() override { return describe(*view, listed()); }
    std::string Name() override { return view->model->name; }
    std::string Kind() override { return kind_name(*view); }
    Strings Services() override { return service_names(*view); }
    std::string Scheduler() override { return scheduler(*view); }
    std::string State() override { return std::string{view->state}; }
    std::uint64_t StateTimestamp() override { return realtime_usec(view->since); }
    bool Quorate() override { return view->quorate; }
    std::uint32_t Quorum() override { return view->model->quorum; }
    std::uint64_t Weight() override { return view->weight; }
    std::string WhileMaster() override { return view->model->while_master; }
    std::string SorryServer() override { return sorry_server(*view); }
    std::uint64_t PersistenceUSec() override { return usec(view->model->persistence); }
    std::string Problem() override { return utf8(view->problem); }
    std::string Warning() override { return utf8(view->warning); }
    std::vector<ObjectPath> RealServers() override {
        std::vector<ObjectPath> result;
        for (const auto& real : view->reals)
            result.push_back(object(real_server_path(view->model->name, real->model->name)));
        return result;
    }
    CounterList Counters() override { return counters(*view, listed()); }

    const Shown& shown_;
    Calls& calls_;
};

class RealServer final : public Exported<org::holdfast1::RealServer_adaptor, RealServerObject> {
  public:
    RealServer(sdbus::IConnection& connection, const std::shared_ptr<const engine::RealServerView>& view_,
               const Shown& shown, Calls& calls)
        : Exported{connection, real_server_path(view_->server->name, view_->model->name), view_}, shown_{shown},
          calls_{calls} {
        registerAdaptor();
    }
    ~RealServer() override { unregisterAdaptor(); }

    void signal_edge(const engine::Transition& edge) override {
        emitStateChanged(edge.from, edge.to, utf8(edge.reason), realtime_usec(edge.at));
    }

  private:
    using Late = sdbus::Result<std::string>;
    const engine::IpvsListed* listed() const { return shown_.snapshot->ipvs.get(); }
    void ask(Late&& result, What what, std::uint32_t weight = 0, std::optional<Duration> timeout = {}) {
        calls_.server({what, view->server->name, view->model->name, weight, timeout},
                      answer_with_text(std::move(result)));
    }

    void Drain(Late&& result, Options options) override {
        ask(std::move(result), What::drain, 0, span_of(options, timeout_option));
    }
    void Disable(Late&& result) override { ask(std::move(result), What::disable); }
    void Enable(Late&& result) override { ask(std::move(result), What::enable); }
    void SetWeight(Late&& result, std::int32_t weight) override {
        if (weight < -1 || weight > 65535)
            throw compat::error(error_invalid_args,
                                fmt::format("a weight is 0 to 65535, or -1 for the file's, not {}", weight));
        if (weight == -1) return ask(std::move(result), What::file_weight);
        ask(std::move(result), What::set_weight, static_cast<std::uint32_t>(weight));
    }
    void CheckNow(Late&& result) override { ask(std::move(result), What::check_now); }
    std::string Describe() override { return describe(*view, listed()); }

    std::string Name() override { return view->model->name; }
    ObjectPath VirtualServer() override { return object(virtual_server_path(view->server->name)); }
    std::string Origin() override { return std::string{model::name(view->model->origin)}; }
    std::string Address() override { return to_string(view->model->address); }
    std::uint16_t Port() override { return view->model->port; }
    std::string State() override { return std::string{view->state}; }
    std::uint64_t StateTimestamp() override { return realtime_usec(view->since); }
    std::string Detail() override { return utf8(view->detail); }
    std::uint32_t Weight() override { return view->weight; }
    std::uint32_t BaseWeight() override { return view->model->weight; }
    std::int32_t SetWeight() override { return view->set_weight ? static_cast<std::int32_t>(*view->set_weight) : -1; }
    bool InTable() override { return view->in_table; }
    std::string Forwarding() override { return std::string{model::name(view->model->forwarding.method)}; }
    std::vector<Struct<std::string, std::string, std::string, std::uint64_t>> Checks() override {
        decltype(Checks()) result;
        for (const auto& check : view->checks)
            result.emplace_back(check.kind, std::string{check::name(check.state.verdict)}, utf8(check.state.detail),
                                usec(check.state.latency));
        return result;
    }
    CounterList Counters() override { return counters(*view, listed()); }

    const Shown& shown_;
    Calls& calls_;
};

} // namespace

std::unique_ptr<VirtualServerObject> make_server(sdbus::IConnection& connection,
                                                 const std::shared_ptr<const engine::VirtualServerView>& view,
                                                 const Shown& shown, Calls& calls) {
    return std::make_unique<VirtualServer>(connection, view, shown, calls);
}

std::unique_ptr<RealServerObject> make_server(sdbus::IConnection& connection,
                                              const std::shared_ptr<const engine::RealServerView>& view,
                                              const Shown& shown, Calls& calls) {
    return std::make_unique<RealServer>(connection, view, shown, calls);
}

} // namespace holdfast::bus
