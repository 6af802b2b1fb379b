// Each package does its work in a C++11 program that has acre as its users get it.
#include <cstring>
#include <string>

#include "acre/area.h"
#include "acre/arena.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/stack.h"
#include "check.h"

namespace {

struct node {
    node *next;
    int value;
};

void map_split_and_merge()
{
    size_t page = acre_page_size();
    acre_mmap map = {};
    acre_mmap tail = {};
    CHECK(acre_mmap_anon(4 * page, ACRE_READ_WRITE, nullptr, &map) == ACRE_OK);
    std::memset(map.base, 'x', map.size);
    CHECK(acre_mmap_split(&map, page, &tail) == ACRE_OK);
    CHECK(map.size == page && tail.size == 3 * page);
    CHECK(acre_mmap_merge(&map, &tail) == ACRE_OK);
    CHECK(map.size == 4 * page && tail.base == nullptr);
    CHECK(static_cast<char *>(map.base)[4 * page - 1] == 'x');
    CHECK(acre_mmap_split(&map, 1, &tail) == ACRE_BAD_OFFSET);
    CHECK(std::string(acre_status_name(ACRE_BAD_OFFSET)) == "ACRE_BAD_OFFSET");
    CHECK(acre_mmap_unmap(&map) == ACRE_OK);
}

void build_a_list_in_an_arena()
{
    acre_arena arena = {};
    CHECK(acre_arena_create(nullptr, &arena) == ACRE_OK);
    node *list = nullptr;
    for (int i = 0; i < 1000; i++) {
        node *head = ACRE_NEW(&arena, node);
        CHECK(head != nullptr && head->next == nullptr && head->value == 0);
        head->next = list;
        head->value = i;
        list = head;
    }
    int sum = 0;
    for (const node *at = list; at != nullptr; at = at->next)
        sum += at->value;
    CHECK(sum == 499500);
    CHECK(acre_arena_destroy(&arena) == ACRE_OK);
}

void find_a_stack_by_address()
{
    acre_stack_opts opts = {};
    opts.tag = 7;
    acre_stack stack = {};
    acre_stack_info info = {};
    CHECK(acre_stack_create(size_t{1} << 15, &opts, &stack) == ACRE_OK);
    CHECK(acre_stack_find(static_cast<char *>(stack.base) + stack.size - 1, &info) == ACRE_OK);
    CHECK(info.tag == 7 && info.where == ACRE_STACK_USABLE);
    void *base = stack.base;
    CHECK(acre_stack_destroy(&stack) == ACRE_OK);
    CHECK(acre_stack_find(base, &info) == ACRE_NOT_OURS);
}

}  // namespace

int main()
{
    map_split_and_merge();
    build_a_list_in_an_arena();
    find_a_stack_by_address();
    return 0;
}
