#include "tests/examples/json.h"

#include <cctype>

namespace acre_test {
namespace {

class Reader {
  public:
    explicit Reader(const std::string &text) : text_(text)
    {
    }

    bool at_end() const
    {
        return at_ == text_.size();
    }

    bool take(char wanted)
    {
        if (at_end() || text_[at_] != wanted)
            return false;
        at_++;
        return true;
    }

    bool value(Json *out)
    {
        space();
        char first = at_end() ? '\0' : text_[at_];
        if (first == '{')
            return object(out);
        if (first == '[')
            return array(out);
        if (first == '"') {
            out->kind = Json::STRING;
            return string(&out->string);
        }
        return number(out);
    }

  private:
    void space()
    {
        while (take(' ')) {}
    }

    bool string(std::string *out)
    {
        if (!take('"'))
            return false;
        while (!at_end() && text_[at_] != '"') {
            unsigned char byte = static_cast<unsigned char>(text_[at_++]);
            if (byte < ' ' || byte > '~')
                return false;
            if (byte == '\\') {
                // Of what may follow, what the tools write: the two that must be escaped.
                if (at_end() || (text_[at_] != '"' && text_[at_] != '\\'))
                    return false;
                byte = static_cast<unsigned char>(text_[at_++]);
            }
            *out += static_cast<char>(byte);
        }
        return take('"');
    }

    bool number(Json *out)
    {
        size_t start = at_;
        while (!at_end() && std::isdigit(static_cast<unsigned char>(text_[at_])))
            out->number = out->number * 10 + static_cast<uint64_t>(text_[at_++] - '0');
        return at_ > start && (text_[start] != '0' || at_ == start + 1);
    }

    template <typename Item>
    bool list(char begin, char end, Item item)
    {
        if (!take(begin))
            return false;
        space();
        if (take(end))
            return true;
        do {
            space();
            if (!item())
                return false;
            space();
        } while (take(','));
        return take(end);
    }

    bool array(Json *out)
    {
        out->kind = Json::ARRAY;
        return list('[', ']', [&] {
            out->items.emplace_back();
            return value(&out->items.back());
        });
    }

    bool object(Json *out)
    {
        out->kind = Json::OBJECT;
        return list('{', '}', [&] {
            out->members.emplace_back();
            return string(&out->members.back().first) && take(':') &&
                   value(&out->members.back().second);
        });
    }

    const std::string &text_;
    size_t at_ = 0;
};

}  // namespace

std::vector<std::string> Json::keys() const
{
    std::vector<std::string> names;
    for (const auto &member : members)
        names.push_back(member.first);
    return names;
}

const Json &Json::operator[](const std::string &key) const
{
    static const Json none;
    for (const auto &member : members) {
        if (member.first == key)
            return member.second;
    }
    return none;
}

bool parse_json(const std::string &text, Json *out)
{
    Reader reader(text);
    return reader.value(out) && reader.take('\n') && reader.at_end();
}

}  // namespace acre_test
