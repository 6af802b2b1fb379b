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

template <int depth>
void
bumpalo(benchmark::State &state)
{
    auto *tree = peers::bumpalo<size_t(void *, int)>(state, "acre_bumpalo_tree");
    if (tree == nullptr)
        return;
    peers::Bump bump(state);
    size_t nodes = 0;
    for (auto _ : state)
        nodes += tree(bump, depth);
    state.SetItemsProcessed(static_cast<int64_t>(nodes));
}
BENCHMARK(bumpalo<16>)->Name("trees_16/bumpalo");
BENCHMARK(bumpalo<18>)->Name("trees_18/bumpalo");

}  // namespace
