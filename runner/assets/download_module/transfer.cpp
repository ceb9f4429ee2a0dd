// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/assets/download_module/transfer.hpp"

#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <exception>
#include <memory>

#include <curl/curl.h>
#include <fmt/core.h>
#include <unistd.h>

namespace vt::bootstrap::module {
namespace {

constexpr long max_redirections = 10;
constexpr long http_partial_content = 206;
constexpr long http_range_not_satisfiable = 416;
constexpr long http_first_error = 400;
constexpr long http_first_server_error = 500;

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

std::uint64_t number_in(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// The headers of the answer, those of redirections forgotten.
struct Headers {
    std::string etag;
    std::string last_modified;
    std::string content_range;  ///< `bytes 100-199/200`, `bytes */200`
    std::uint64_t content_length = 0;

    void take(std::string_view line) {
        if (line.starts_with("HTTP/")) {
            *this = {};
            return;
        }
        auto colon = line.find(':');
        if (colon == std::string_view::npos) {
            return;
        }
        std::string name = lower(line.substr(0, colon));
        std::string_view value = trim(line.substr(colon + 1));
        if (name == "etag") {
            etag = value;
        } else if (name == "last-modified") {
            last_modified = value;
        } else if (name == "content-range") {
            content_range = lower(value);
        } else if (name == "content-length") {
            content_length = number_in(value);
        }
    }

    /// A weak ETag does not say that the bytes are the same.
    std::string validator() const { return !etag.empty() && !etag.starts_with("W/") ? etag : last_modified; }
    std::uint64_t range_begin() const {
        auto digits = content_range.find_first_of("0123456789*");
        return digits == std::string::npos ? 0 : number_in(std::string_view(content_range).substr(digits));
    }
    std::uint64_t range_total() const {
        auto slash = content_range.find('/');
        return slash == std::string::npos ? 0 : number_in(std::string_view(content_range).substr(slash + 1));
    }
};

/// One attempt in libcurl's hands.
class Transfer {
  public:
    explicit Transfer(const TransferRequest& request) : request_(request), curl_(curl_easy_init()) {
        if (!curl_) {
            throw Error("libcurl cannot be initialised");
        }
    }

    TransferResult run() {
        set_up();
        CURLcode code = curl_easy_perform(curl_.get());
        if (thrown_) {
            std::rethrow_exception(thrown_);
        }
        TransferResult result;
        curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &result.status);
        if (result.status == http_range_not_satisfiable && headers_.range_total() == request_.from) {
            result.complete = true;  // every byte was there
            return result;
        }
        if (code == CURLE_OK && !begun_) {
            begin();  // an empty file
            if (thrown_) {
                std::rethrow_exception(thrown_);
            }
        }
        result.complete = code == CURLE_OK;
        if (!result.complete) {
            result.error = sentence(code, result.status);
            result.again = breaks_only_now(code, result.status);
        }
        return result;
    }

  private:
    struct CurlFree {
        void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    };
    struct ListFree {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };

    template <typename Value>
    void set(CURLoption option, Value value) {
        CURLcode code = curl_easy_setopt(curl_.get(), option, value);
        if (code != CURLE_OK) {
            throw Error(fmt::format("libcurl refuses an option: {}", curl_easy_strerror(code)));
        }
    }

    void set_protocols() {
#if LIBCURL_VERSION_NUM >= 0x075500
        set(CURLOPT_PROTOCOLS_STR, "http,https,ftp,file");
        set(CURLOPT_REDIR_PROTOCOLS_STR, request_.only_secure ? "https" : "http,https");
#else
        set(CURLOPT_PROTOCOLS,
            static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FTP | CURLPROTO_FILE));
        set(CURLOPT_REDIR_PROTOCOLS,
            static_cast<long>(request_.only_secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    }

    void set_up() {
        set(CURLOPT_URL, request_.url.c_str());
        set_protocols();
        set(CURLOPT_FOLLOWLOCATION, 1L);
        set(CURLOPT_MAXREDIRS, max_redirections);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_FAILONERROR, 1L);
        set(CURLOPT_USERAGENT, "avocado-runner-vt");
        set(CURLOPT_ERRORBUFFER, error_.data());
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_limit.count() * 1000));
        set(CURLOPT_LOW_SPEED_LIMIT, 1L);
        set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(request_.stall_limit.count())));
        set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
        set(CURLOPT_HEADERDATA, this);
        set(CURLOPT_WRITEFUNCTION, &Transfer::on_data);
        set(CURLOPT_WRITEDATA, this);
        if (request_.from > 0) {
            // Not RESUME_FROM, which takes a server without ranges for a failure.
            range_ = fmt::format("{}-", request_.from);
            set(CURLOPT_RANGE, range_.c_str());
            if (!request_.validator.empty()) {
                list_.reset(curl_slist_append(nullptr, ("If-Range: " + request_.validator).c_str()));
                set(CURLOPT_HTTPHEADER, list_.get());
            }
        }
    }

    static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
        static_cast<Transfer*>(self)->headers_.take({data, size});
        return size;
    }

    static std::size_t on_data(char* data, std::size_t, std::size_t size, void* self) {
        auto* transfer = static_cast<Transfer*>(self);
        try {
            return transfer->take(data, size) ? size : 0;
        } catch (...) {
            transfer->thrown_ = std::current_exception();
            return 0;
        }
    }

    void begin() {
        begun_ = true;
        long status = 0;
        curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
        bool http = status != 0;
        bool ranged = request_.from > 0 && (!http || status == http_partial_content);
        if (ranged && http && headers_.range_begin() != request_.from) {
            throw Error(fmt::format("the server was asked for the bytes from {} on and sends '{}'",
                                    request_.from, headers_.content_range));
        }
        offset_ = ranged ? request_.from : 0;
        if (!ranged && ::ftruncate(request_.file, 0) != 0) {
            throw SystemError("cannot empty a file", errno);
        }
        std::uint64_t total = headers_.range_total();
        if (total == 0 && headers_.content_length > 0) {
            total = offset_ + headers_.content_length;
        }
        if (request_.begin) {
            request_.begin({!ranged, headers_.validator(), total});
        }
    }

    bool take(const char* data, std::size_t size) {
        if (!begun_) {
            begin();
        }
        if (request_.limit != 0 && offset_ + size > request_.limit) {
            throw Error(fmt::format("{} has more than {} bytes", request_.url, request_.limit));
        }
        while (size > 0) {
            ssize_t count = ::pwrite(request_.file, data, size, static_cast<off_t>(offset_));
            if (count < 0 && errno == EINTR) {
                continue;
            }
            if (count < 0) {
                throw SystemError("cannot write what is downloaded", errno);
            }
            data += count;
            size -= static_cast<std::size_t>(count);
            offset_ += static_cast<std::uint64_t>(count);
        }
        if (request_.progress) {
            request_.progress(offset_);
        }
        return true;
    }

    std::string sentence(CURLcode code, long status) const {
        if (code == CURLE_HTTP_RETURNED_ERROR) {
            return fmt::format("the server answers with status {}", status);
        }
        if (code == CURLE_PARTIAL_FILE) {
            return fmt::format("the connection ended after {} bytes", offset_);
        }
        if (code == CURLE_OPERATION_TIMEDOUT && begun_) {
            return fmt::format("no byte came for {:.0f} s", request_.stall_limit.count());
        }
        return error_[0] != '\0' ? std::string(error_.data()) : std::string(curl_easy_strerror(code));
    }

    static bool breaks_only_now(CURLcode code, long status) {
        switch (code) {
            case CURLE_PARTIAL_FILE:
            case CURLE_OPERATION_TIMEDOUT:
            case CURLE_RECV_ERROR:
            case CURLE_SEND_ERROR:
            case CURLE_GOT_NOTHING:
            case CURLE_COULDNT_CONNECT:
            case CURLE_HTTP2_STREAM:
                return true;
            case CURLE_HTTP_RETURNED_ERROR:
                return status >= http_first_server_error || status == http_range_not_satisfiable;
            default:
                return status != 0 && status < http_first_error && code == CURLE_WEIRD_SERVER_REPLY;
        }
    }

    const TransferRequest& request_;
    std::unique_ptr<CURL, CurlFree> curl_;
    std::unique_ptr<curl_slist, ListFree> list_;
    std::string range_;
    std::array<char, CURL_ERROR_SIZE> error_{};
    Headers headers_;
    bool begun_ = false;
    std::uint64_t offset_ = 0;
    std::exception_ptr thrown_;
};

TransferResult transfer(const TransferRequest& request) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialised != CURLE_OK) {
        throw Error(fmt::format("libcurl cannot be initialised: {}", curl_easy_strerror(initialised)));
    }
    return Transfer(request).run();
}

}  // namespace
}  // namespace vt::bootstrap::module

extern "C" {
extern vt::bootstrap::module::TransferFunction* const vt_transfer;
vt::bootstrap::module::TransferFunction* const vt_transfer = &vt::bootstrap::module::transfer;
}
