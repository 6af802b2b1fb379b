// doctor.h - what acre-doctor finds on a machine.
#ifndef ACRE_DOCTOR_DOCTOR_H_
#define ACRE_DOCTOR_DOCTOR_H_

#include <stddef.h>
#include <stdint.h>

#include "acre/page.h"

typedef enum doctor_state {
    DOCTOR_OK,     ///< nothing to do
    DOCTOR_NOTE,   ///< matters to some programs
    DOCTOR_BITES,  ///< something that acre is used for will be refused, or be slow
} doctor_state;

enum { DOCTOR_TEXT = 200, DOCTOR_LIMITS = 20 };

/// A limit or a setting.
typedef struct doctor_limit {
    const char *name;    ///< "areas"
    const char *source;  ///< where the number comes from: "vm.max_map_count"
    uint64_t value;
    int is_unlimited;        ///< then value says nothing
    char text[DOCTOR_TEXT];  ///< the value, for people
    doctor_state state;
    char why[DOCTOR_TEXT];     ///< what it means for programs that use acre
    char change[DOCTOR_TEXT];  ///< the command that changes it; "" = none
} doctor_limit;

typedef struct doctor_report {
    acre_system system;
    uint64_t areas;  ///< of this process now; 0 = unknown
    doctor_limit limits[DOCTOR_LIMITS];
    size_t limit_count;
} doctor_report;

/// Looks at this machine, as this process finds it.
void doctor_look(doctor_report *out);
int doctor_bites(const doctor_report *report);

void doctor_print(const doctor_report *report);
void doctor_print_json(const doctor_report *report);

#endif  // ACRE_DOCTOR_DOCTOR_H_
