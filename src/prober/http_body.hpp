// What of the body of an answer counts: its digest, and whether a pattern is found in it (PCRE2). Invariant: a body is kept
// only for a pattern, at most max_kept bytes of it and max_kept_in_all of all of them, and looking for the pattern is
// bounded whatever both say.
#pragma once

#include "model/check.hpp"
#include "prober/outcome.hpp"

#include <memory>
#include <optional>
#include <string_view>

struct pcre2_real_code_8;
struct evp_md_ctx_st;

namespace holdfast::prober {

inline constexpr std::size_t max_kept = 1024UZ * 1024;          ///< bytes
inline constexpr std::size_t max_kept_in_all = 64 * max_kept;   ///< bytes
inline constexpr std::size_t max_digested = 64UZ * 1024 * 1024; ///< bytes

/// A pattern, compiled once a watch.
class Pattern {
  public:
    static Result<Pattern> compile(const model::BodyPattern&);
    /// The body is good. The error: why it is not.
    Result<void> judge(std::string_view body, bool is_cut_off) const;

  private:
    struct Free {
        void operator()(pcre2_real_code_8*) const;
    };
    explicit Pattern(const model::BodyPattern& what) : what_{what} {}
    model::BodyPattern what_;
    std::unique_ptr<pcre2_real_code_8, Free> code_;
};

/// Takes the body of one answer.
class Body {
  public:
    Body() = default;
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;
    ~Body() { forget(); }

    void begin(const std::optional<model::BodyDigest>&, const Pattern*);
    /// False: it has had enough.
    bool take(std::string_view part);
    std::optional<Outcome> judge() const; ///< nothing: good

  private:
    struct Free {
        void operator()(evp_md_ctx_st*) const;
    };
    void forget();
    bool keep(std::string_view part);
    /// A server that sends byte for byte costs far more time than its bytes: after some thousand pieces they have to have
    /// 64 bytes each.
    bool is_crumbs() const { return pieces_ > 4096 && bytes_ / 64 < pieces_; }

    const Pattern* pattern_{nullptr};
    std::optional<model::BodyDigest> wanted_;
    std::unique_ptr<evp_md_ctx_st, Free> digest_;
    std::string kept_;
    std::size_t bytes_{0}, pieces_{0};
    bool no_room_{false}, no_digest_{false};

    static inline std::size_t kept_in_all = 0;
};

} // namespace holdfast::prober
