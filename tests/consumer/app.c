// Prints which acre it was linked with and how large a page is: what `bazel run //:app` of a new
// user shows.
#include <stdio.h>

#include "acre/page.h"

int main(void)
{
    printf("acre %s, pages of %zu bytes\n", acre_version(), acre_page_size());
    return 0;
}
