// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/parser.hpp"

#include "cfg/builder.hpp"
#include "cfg/reader.hpp"

#include <algorithm>

namespace vt::cfg {

struct Parser::State {
    explicit State(Options given) : options(std::move(given)), builder(options.limits.total_bytes) {}

    /// Runs one reading; what it added is taken back if it fails.
    template <typename Reading>
    void attempt(Reading reading) {
        const std::uint32_t top = builder.top;
        const std::size_t statements = builder.nodes[top].statements.size();
        try {
            Reader reader(builder, options);
            reading(reader);
        } catch (...) {
            builder.top = top;
            builder.nodes[top].statements.resize(statements);
            throw;
        }
    }

    Options options;
    Builder builder;
};

Parser::Parser(Options options) : state_(std::make_unique<State>(std::move(options))) {}
Parser::~Parser() = default;
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;

void Parser::parse_file(const std::string& path) {
    state_->attempt([&](Reader& reader) { reader.read_file(path); });
}

void Parser::parse_string(std::string_view text, std::string_view name) {
    state_->attempt([&](Reader& reader) { reader.read_text(text, std::string(name)); });
}

void Parser::only_filter(std::string_view filter) {
    parse_string("only " + std::string(filter));
}

void Parser::no_filter(std::string_view filter) {
    parse_string("no " + std::string(filter));
}

void Parser::assign(std::string_view key, std::string_view value) {
    parse_string(std::string(key) + " = " + std::string(value));
}

void Parser::add(const Input& input) {
    switch (input.kind) {
        case Input::Kind::file:
            parse_file(input.text);
            break;
        case Input::Kind::text:
            parse_string(input.text, input.value.empty() ? "<string>" : input.value);
            break;
        case Input::Kind::only:
            only_filter(input.text);
            break;
        case Input::Kind::no:
            no_filter(input.text);
            break;
        case Input::Kind::assign:
            assign(input.text, input.value);
            break;
    }
}

const Options& Parser::options() const noexcept {
    return state_->options;
}

Program Parser::program() const {
    const Limits& limits = state_->options.limits;
    ImageOptions options;
    options.defaults = state_->options.defaults ? 1 : 0;
    options.keep_suffixes = state_->options.keep_suffixes ? 1 : 0;
    options.regex_match_limit = limits.regex_match_limit;
    options.fruitless_nodes = limits.fruitless_nodes;
    options.value_length = limits.value_length;
    options.dictionary_bytes = limits.dictionary_bytes;
    return Program(state_->builder.freeze(options));
}

Program parse(const std::vector<Input>& inputs, const Options& options) {
    Parser parser(options);
    for (const Input& input : inputs) {
        parser.add(input);
    }
    return parser.program();
}

std::vector<std::string> Program::files() const {
    std::vector<std::string> result;
    for (const File& file : image_->files) {
        const std::string path(image_->text(file.path));
        if (file.identity.inode != 0 && std::find(result.begin(), result.end(), path) == result.end()) {
            result.push_back(path);
        }
    }
    return result;
}

}  // namespace vt::cfg
