// Binary trees, built, walked and taken back: of malloc's family node by node.  Per node.
#include "bench/peers.h"

namespace {

struct Node {
    Node *left;
    Node *right;
};

template <class Region>
Node *
build(Region &region, int depth)
{
    Node *node = static_cast<Node *>(region.template constant<sizeof(Node), alignof(Node)>());
    node->left = depth > 0 ? build(region, depth - 1) : nullptr;
    node->right = depth > 0 ? build(region, depth - 1) : nullptr;
    return node;
}

size_t
count(const Node *node)
{
    return node->left == nullptr ? 1 : 1 + count(node->left) + count(node->right);
}

template <class Region>
void
take_back(Region &region, Node *)
{
    region.take_back(nullptr, 0);
}

template <class Allocator>
void
take_back(peers::Family<Allocator> &family, Node *node)
{
    if (node->left != nullptr) {
        take_back(family, node->left);
        take_back(family, node->right);
    }
    Allocator::release(node);
}

template <class Region, int depth>
void
trees(benchmark::State &state)
{
    if (!peers::is_there<Region>(state))
        return;
    size_t nodes = 0;
    Region region;
    for (auto _ : state) {
        Node *tree = build(region, depth);
        nodes += count(tree);
        take_back(region, tree);
    }
    state.SetItemsProcessed(static_cast<int64_t>(nodes));
}

#define ASK(name, Region)                                 \
    BENCHMARK(trees<Region, 16>)->Name("trees_16/" name); \
    BENCHMARK(trees<Region, 18>)->Name("trees_18/" name);
BENCH_FOR_EACH_PEER(ASK)
#undef ASK

void
bumpalo(benchmark::State &state, int depth)
{
    auto *tree = peers::find_function<size_t(void *, int)>(peers::bumpalo(), "acre_bumpalo_tree");
    auto *create = peers::find_function<void *()>(peers::bumpalo(), "acre_bumpalo_create");
    auto *destroy = peers::find_function<void(void *)>(peers::bumpalo(), "acre_bumpalo_destroy");
    if (tree == nullptr || create == nullptr || destroy == nullptr) {
        state.SkipWithError("bumpalo was not built (./dev bench does)");
        return;
    }
    void *bump = create();
    size_t nodes = 0;
    for (auto _ : state)
        nodes += tree(bump, depth);
    destroy(bump);
    state.SetItemsProcessed(static_cast<int64_t>(nodes));
}
BENCHMARK_CAPTURE(bumpalo, of_16, 16)->Name("trees_16/bumpalo");
BENCHMARK_CAPTURE(bumpalo, of_18, 18)->Name("trees_18/bumpalo");

}  // namespace
