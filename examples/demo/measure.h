// measure.h - clocks, medians, and how much memory a part may take.
#ifndef DEMO_MEASURE_H_
#define DEMO_MEASURE_H_

#include <stddef.h>
#include <stdint.h>

/// Seconds since some moment, on a clock that nobody sets.
double measure_now(void);

/// Seconds that the processor has worked for this process, its system calls included: what others
/// do on the machine meanwhile does not count.  Windows, whose count is too coarse: measure_now.
double measure_cpu(void);

/// The value in the middle.  Sorts `values`; `count` > 0.
double measure_median(double *values, size_t count);

/// Bytes that the machine and the control groups of this process leave to it now; elsewhere than on
/// Linux half of the machine's memory.  `*who` is who sets the limit, for people.
uint64_t measure_available(const char **who);

/// Makes the compiler believe that what `pointer` leads to is read and written here.
void measure_keep(void *pointer);

#endif  // DEMO_MEASURE_H_
