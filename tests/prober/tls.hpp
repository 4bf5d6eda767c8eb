// Certificates and TLS servers of the tests, made by OpenSSL as they are needed.
#pragma once

#include "server.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace holdfast::prober::testing {

template <typename T, void (*F)(T*)>
struct FreeBy {
    void operator()(T* what) const { F(what); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeBy<X509, X509_free>>;

struct Identity {
    Key key;
    Certificate certificate;
};

struct Wanted {
    std::string name{"good.example"};
    long valid_for{3600}; ///< seconds; below 0: expired
    std::size_t padding{0};
};

inline void add_extension(X509* to, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    EXPECT_NE(extension, nullptr) << value;
    X509_add_ext(to, extension, -1);
    X509_EXTENSION_free(extension);
}

/// Signed by `by`, or by itself: then it is a CA.
inline Identity make_identity(const Wanted& what, const Identity* by = nullptr) {
    static long serial = 1;
    Identity out{Key{EVP_EC_gen("P-256")}, Certificate{X509_new()}};
    auto* x = out.certificate.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), what.valid_for);
    X509_set_pubkey(x, out.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(what.name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(by ? by->certificate.get() : x));
    add_extension(x, NID_subject_alt_name, "DNS:" + what.name);
    if (!by) add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    if (what.padding > 0) add_extension(x, NID_netscape_comment, std::string(what.padding, 'x'));
    X509_sign(x, by ? by->key.get() : out.key.get(), EVP_sha256());
    return out;
}

/// Files that the prober, which is nobody, can read.
class Files {
  public:
    Files() {
        EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
        std::filesystem::permissions(directory_, std::filesystem::perms{0755});
    }
    ~Files() { std::filesystem::remove_all(directory_); }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;

    std::string path(const std::string& name) const { return directory_ + "/" + name; }
    std::string certificate(const std::string& name, const Identity& whose) const {
        FILE* file = std::fopen(path(name).c_str(), "w");
        PEM_write_X509(file, whose.certificate.get());
        PEM_write_PrivateKey(file, whose.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(file);
        return path(name);
    }

  private:
    std::string directory_ = "/tmp/holdfast-tls-XXXXXX";
};

using Context = std::unique_ptr<SSL_CTX, FreeBy<SSL_CTX, SSL_CTX_free>>;
inline Context tls_context(const Identity& who, const Identity* client_ca = nullptr) {
    Context context{SSL_CTX_new(TLS_server_method())};
    SSL_CTX_use_certificate(context.get(), who.certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), who.key.get());
    if (client_ca) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), client_ca->certificate.get());
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    return context;
}

/// Reads a request, and answers with the name that the client has asked for by SNI.
inline Server::Answer https(SSL_CTX* context) {
    std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes to clients that are gone
    return [context](int fd, const std::stop_token&) {
        std::unique_ptr<SSL, FreeBy<SSL, SSL_free>> ssl{SSL_new(context)};
        SSL_set_fd(ssl.get(), fd);
        if (SSL_accept(ssl.get()) != 1) return;
        std::string heard;
        char c = 0;
        while (!heard.ends_with("\r\n\r\n") && SSL_read(ssl.get(), &c, 1) == 1)
            heard += c;
        const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name);
        const auto answer = page(fmt::format("sni {}", name ? name : "none"));
        SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
        SSL_shutdown(ssl.get());
    };
}

} // namespace holdfast::prober::testing
