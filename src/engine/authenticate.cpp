#include "engine/authenticate.hpp"

#include "wire/digest.hpp"

namespace holdfast::engine {
namespace {

using model::AhAuthentication;
using model::HmacAuthentication;
using model::HmacMode;
using model::PassAuthentication;
using wire::Reject;

template <typename Kind>
const Kind* configured(const model::Instance& model) {
    return model.authentication ? std::get_if<Kind>(&*model.authentication) : nullptr;
}

Replay::Rule rule_of(const HmacAuthentication& hmac, const model::Instance& model) {
    return {hmac.anti_replay, hmac.window(model.advert_interval)};
}

/// The two fields of a version 2 message.
std::optional<Reject> wrong_fields(const model::Instance& model, const wire::Advert& advert) {
    if (model.version != model::Version::v2) return std::nullopt;
    wire::Advert ours;
    fill_authentication(ours, model);
    if (advert.auth_type != ours.auth_type) return Reject::authentication;
    if (configured<PassAuthentication>(model) && !wire::equal_digests(advert.auth_data, ours.auth_data))
        return Reject::authentication;
    return std::nullopt;
}

std::optional<Reject> wrong_header(const AhAuthentication& ah, const Replay& replay, const wire::Proof& proof) {
    if (std::holds_alternative<wire::TrailerProof>(proof)) return Reject::signature_unexpected;
    const auto* header = std::get_if<wire::AhProof>(&proof);
    if (!header) return Reject::signature_missing;
    if (!wire::is_proven(*header, ah.key)) return Reject::signature_wrong;
    return replay.judge_ah(header->sequence);
}

/// The cheap questions first: a flood of forgeries costs no digest.
std::optional<Reject> wrong_trailer(const HmacAuthentication& hmac, const model::Instance& model, const Replay& replay,
                                    const AdvertReceived& event, Clocks clocks) {
    if (std::holds_alternative<wire::AhProof>(event.proof)) return Reject::signature_unexpected;
    const auto* trailer = std::get_if<wire::TrailerProof>(&event.proof);
    if (!trailer) return hmac.mode == HmacMode::enforce ? std::optional{Reject::signature_missing} : std::nullopt;
    const auto judged = replay.judge(rule_of(hmac, model), event.source, trailer->sequence, clocks.wall, clocks.now);
    if (judged == Reject::signature_stale) return judged;
    const auto* key = hmac.find(trailer->key_id);
    if (!key) return Reject::signature_key;
    if (!wire::is_proven(*trailer, key->secret)) return Reject::signature_wrong;
    return judged;
}

} // namespace

void fill_authentication(wire::Advert& advert, const model::Instance& model) {
    if (const auto* pass = configured<PassAuthentication>(model)) {
        advert.auth_type = wire::AuthType::pass;
        advert.auth_data = pass->key;
    } else if (configured<AhAuthentication>(model)) {
        advert.auth_type = wire::AuthType::ah;
    }
}

std::optional<Reject> unproven(const model::Instance& model, const Replay& replay, const AdvertReceived& event,
                               Clocks clocks) {
    if (const auto reason = wrong_fields(model, event.advert)) return reason;
    if (const auto* hmac = configured<HmacAuthentication>(model))
        return wrong_trailer(*hmac, model, replay, event, clocks);
    if (const auto* ah = configured<AhAuthentication>(model)) return wrong_header(*ah, replay, event.proof);
    if (!std::holds_alternative<std::monostate>(event.proof)) return Reject::signature_unexpected;
    return std::nullopt;
}

void use_up(const model::Instance& model, Replay& replay, const AdvertReceived& event, Clocks clocks) {
    if (const auto* header = std::get_if<wire::AhProof>(&event.proof)) replay.accept_ah(header->sequence);
    const auto* trailer = std::get_if<wire::TrailerProof>(&event.proof);
    const auto* hmac = configured<HmacAuthentication>(model);
    if (trailer && hmac) replay.accept(rule_of(*hmac, model), event.source, trailer->sequence, clocks.wall, clocks.now);
}

std::optional<Duration> clock_difference(const model::Instance& model, const AdvertReceived& event, Clocks clocks) {
    const auto* trailer = std::get_if<wire::TrailerProof>(&event.proof);
    const auto* hmac = configured<HmacAuthentication>(model);
    if (!trailer || !hmac || hmac->anti_replay != model::AntiReplay::time) return std::nullopt;
    const auto apart = distance(trailer->sequence, as_sequence(clocks.wall));
    if (apart <= hmac->window(model.advert_interval) / 2) return std::nullopt;
    return apart;
}

bool needs_number(const model::Instance& model) {
    const auto* hmac = configured<HmacAuthentication>(model);
    return configured<AhAuthentication>(model) || (hmac && hmac->mode != HmacMode::receive_only);
}

bool prove(const model::Instance& model, Replay& replay, SendAdvert& action, Clocks clocks) {
    std::optional<Bytes> proven;
    if (const auto* ah = configured<AhAuthentication>(model)) {
        const auto number = replay.next_ah();
        action.sequence = number;
        action.has_ip_header = true;
        proven = wire::wrap_in_ah(*action.message, action.source, action.destination, number, ah->key);
    } else if (const auto* hmac = configured<HmacAuthentication>(model)) {
        const auto* key = hmac->find(hmac->active_key);
        action.sequence = replay.next(rule_of(*hmac, model), clocks.wall);
        if (key)
            proven = wire::with_trailer(*action.message, action.source, action.destination, {key->id, key->secret},
                                        action.sequence);
    }
    if (!proven) return false;
    action.message = std::make_shared<const Bytes>(std::move(*proven));
    return true;
}

} // namespace holdfast::engine
