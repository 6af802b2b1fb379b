// What stacks there are: a walk over all of them, and reports as JSON.
#include "mmap/report.h"

#include "acre/stack_pool.h"
#include "mmap/debug.h"
#include "stack/pool.h"
#include "stack/registry.h"

acre_status
acre_stack_each(acre_stack_visit_fn visit, void *context)
{
    if (!IS_VALID(visit != NULL))
        return ACRE_NULL_ARGUMENT;
    acre_status status = acre_registry_each(visit, context);
    return status == ACRE_OK ? acre_pool_each(visit, context) : status;
}

static const char *
guard_name(uint32_t guard_kind)
{
    return guard_kind == ACRE_GUARD_MARKER ? "marker" : "pages";
}

static acre_status
report_stack(const acre_stack_info *stack, void *context)
{
    report *r = context;
    report_address(r, r->separator, (uintptr_t)stack->base);
    r->separator = ",\n{\"base\":";
    report_number(r, ",\"size\":", stack->size);
    report_address(r, ",\"header\":", (uintptr_t)stack->header);
    report_address(r, ",\"pool\":", (uintptr_t)stack->pool);
    report_address(r, ",\"tag\":", stack->tag);
    report_number(r, ",\"generation\":", stack->generation);
    report_string(r, ",\"guard_kind\":", guard_name(stack->guard_kind));
    report_text(r, "}");
    return r->status;
}

acre_status
acre_stack_report(acre_report_fn write, void *context)
{
    if (!IS_VALID(write != NULL))
        return ACRE_NULL_ARGUMENT;
    report r = {.write = write, .context = context, .separator = "\n{\"base\":"};
    report_text(&r, "{\"stacks\":[");
    acre_status status = acre_stack_each(report_stack, &r);
    return status == ACRE_OK ? report_finish(&r, "]}\n") : status;
}

acre_status
acre_stack_pool_report(acre_stack_pool *pool, acre_report_fn write, void *context)
{
    if (!IS_VALID(write != NULL))
        return ACRE_NULL_ARGUMENT;
    acre_stack_pool_stats stats;
    acre_status status = acre_stack_pool_stats_read(pool, &stats);
    if (status != ACRE_OK)
        return status;
    report r = {.write = write, .context = context};
    report_address(&r, "{\"pool\":", (uintptr_t)pool);
    report_number(&r, ",\"out\":", stats.out);
    report_number(&r, ",\"free\":", stats.free);
    report_number(&r, ",\"cold\":", stats.cold);
    report_number(&r, ",\"peak\":", stats.peak);
    report_number(&r, ",\"areas\":", stats.areas);
    report_number(&r, ",\"resident\":", stats.resident);
    report_number(&r, ",\"deepest\":", stats.deepest);
    report_string(&r, ",\"guard_kind\":", guard_name(stats.guard_kind));
    return report_finish(&r, "}\n");
}
