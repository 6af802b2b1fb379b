// What systems and processors differ in, where the library's own calls tell it.
#include <gtest/gtest.h>

#include "acre/page.h"
#include "tests/support/support.h"

namespace acre_test {

bool has_huge_pages()
{
    acre_system system = {};
    EXPECT_EQ(ACRE_OK, acre_system_read(&system));
    return system.transparent_huge_size != 0;
}

const char *told_fault(const void *address)
{
#if defined(__s390__)
    return reinterpret_cast<const char *>(reinterpret_cast<uintptr_t>(address) &
                                          ~(acre_page_size() - 1));
#else
    return static_cast<const char *>(address);
#endif
}

}  // namespace acre_test
