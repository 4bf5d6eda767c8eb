#include "prober/http_body.hpp"

#include "ipc/message.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <pcre2.h>

namespace holdfast::prober {

namespace {

constexpr std::uint32_t most_steps = 1'000'000; // of a match: some milliseconds (pcre2api(3), match limit)
constexpr std::uint32_t most_heap = 16 * 1024;  // KiB

struct Matching {
    pcre2_match_context* context{pcre2_match_context_create(nullptr)};
    Matching() {
        pcre2_set_match_limit(context, most_steps);
        pcre2_set_heap_limit(context, most_heap);
    }
};
/// One for all, like the prober has one thread.
pcre2_match_context* limits() {
    static const Matching matching;
    return matching.context;
}

std::string words_of(int error) {
    std::array<PCRE2_UCHAR, 120> text{};
    pcre2_get_error_message(error, text.data(), text.size());
    return reinterpret_cast<const char*>(text.data());
}

std::uint32_t options_of(const model::BodyPattern& what) {
    std::uint32_t options = PCRE2_USE_OFFSET_LIMIT | PCRE2_NEVER_BACKSLASH_C;
    if (what.caseless) options |= PCRE2_CASELESS;
    if (what.multiline) options |= PCRE2_MULTILINE;
    if (what.dotall) options |= PCRE2_DOTALL;
    if (what.extended) options |= PCRE2_EXTENDED;
    return options;
}

std::string hex(std::span<const unsigned char> bytes) {
    std::string out;
    for (const auto byte : bytes)
        out += fmt::format("{:02x}", byte);
    return out;
}

} // namespace

// ---- a pattern ----------------------------------------------------------------------------------------------------------

void Pattern::Free::operator()(pcre2_real_code_8* code) const {
    pcre2_code_free(code);
}

Result<Pattern> Pattern::compile(const model::BodyPattern& what) {
    int error = 0;
    PCRE2_SIZE at = 0;
    Pattern pattern{what};
    pattern.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(what.regex.data()), what.regex.size(),
                                      options_of(what), &error, &at, nullptr));
    if (!pattern.code_) return unexpected{fmt::format("the pattern is wrong at byte {}: {}", at, words_of(error))};
    return pattern;
}

Result<void> Pattern::judge(std::string_view body, bool is_cut_off) const {
    const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> found{pcre2_match_data_create(1, nullptr),
                                                                                    &pcre2_match_data_free};
    pcre2_set_offset_limit(limits(), what_.max_offset ? PCRE2_SIZE{*what_.max_offset} : PCRE2_UNSET);
    const int count = what_.min_offset > body.size()
                          ? PCRE2_ERROR_NOMATCH
                          : pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(body.data()), body.size(),
                                        what_.min_offset, 0, found.get(), limits());
    if (count < 0 && count != PCRE2_ERROR_NOMATCH)
        return unexpected{fmt::format("cannot look for the pattern: {}", words_of(count))};
    const bool is_there = count >= 0;
    if (is_there && what_.absent) return unexpected{std::string{"the body has what it must not have"}};
    if (!is_there && is_cut_off)
        return unexpected{fmt::format("the pattern is not in the first {} KiB of the body", max_kept / 1024)};
    if (!is_there && !what_.absent) return unexpected{std::string{"the pattern is not in the body"}};
    return {};
}

// ---- a body -------------------------------------------------------------------------------------------------------------

void Body::Free::operator()(evp_md_ctx_st* context) const {
    EVP_MD_CTX_free(context);
}

void Body::forget() {
    kept_in_all -= kept_.size();
    kept_ = {};
}

void Body::begin(const std::optional<model::BodyDigest>& wanted, const Pattern* pattern) {
    forget();
    bytes_ = pieces_ = 0;
    no_room_ = no_digest_ = false;
    pattern_ = pattern;
    wanted_ = wanted;
    if (!wanted) return;
    digest_.reset(EVP_MD_CTX_new());
    const auto* const kind = wanted->kind == model::DigestKind::md5 ? EVP_md5() : EVP_sha256();
    no_digest_ = !digest_ || EVP_DigestInit_ex(digest_.get(), kind, nullptr) != 1; // MD5 under FIPS
}

bool Body::keep(std::string_view part) {
    part = part.substr(0, max_kept - kept_.size());
    if (part.empty()) return false;
    no_room_ = kept_in_all + part.size() > max_kept_in_all;
    if (no_room_) return false;
    kept_ += part;
    kept_in_all += part.size();
    return true;
}

bool Body::take(std::string_view part) {
    bytes_ += part.size();
    ++pieces_;
    if (is_crumbs()) return false;
    bool wants_more = false;
    if (wanted_ && !no_digest_) {
        EVP_DigestUpdate(digest_.get(), part.data(), part.size());
        wants_more = bytes_ <= max_digested;
    }
    if (pattern_ != nullptr && keep(part)) wants_more = true;
    if (no_room_ || no_digest_) return false;
    return wants_more || (!wanted_ && pattern_ == nullptr && bytes_ <= max_kept);
}

std::optional<Outcome> Body::judge() const {
    if (no_digest_) return Outcome{.detail = "OpenSSL refuses this kind of digest; take sha256", .our_fault = true};
    if (no_room_) return Outcome{.detail = "too many long bodies at once", .our_fault = true};
    if (is_crumbs() && (wanted_ || pattern_ != nullptr)) return Outcome{.detail = "a body in too many small pieces"};
    if (wanted_) {
        if (bytes_ > max_digested)
            return Outcome{.detail = fmt::format("a body of more than {} MiB", max_digested / 1024 / 1024)};
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        EVP_DigestFinal_ex(digest_.get(), digest.data(), &size);
        const auto text = hex(std::span{digest}.first(size));
        if (text != wanted_->hex) return Outcome{.detail = std::string{ipc::digest_found} + text};
    }
    if (pattern_ == nullptr) return std::nullopt;
    const auto good = pattern_->judge(kept_, bytes_ > kept_.size());
    return good ? std::nullopt : std::optional{Outcome{.detail = good.error()}};
}

} // namespace holdfast::prober
