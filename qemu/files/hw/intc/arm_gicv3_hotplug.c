/*
 * ARM GICv3: CPUs that come and go
 *
 * The distributor and all redistributors are there from the start, with
 * num-cpu of them.  The guest sees them, can program them and, like hardware
 * whose redistributors are always on, finds in them what it left there.  What
 * comes and goes with a CPU is the CPU interface: the system registers, and
 * the interrupt lines, which are the board's business.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "hw/core/cpu.h"
#include "hw/intc/arm_gicv3_common.h"
#include "gicv3_internal.h"

void gicv3_attach_cpu(GICv3State *s, unsigned n, CPUState *cpu)
{
    ARMGICv3CommonClass *c = ARM_GICV3_COMMON_GET_CLASS(s);
    GICv3CPUState *cs;

    g_assert(bql_locked());
    g_assert(n < s->num_cpu);

    cs = &s->cpu[n];
    g_assert(!cs->cpu);

    cs->cpu = cpu;
    gicv3_set_gicv3state(cpu, cs);
    c->init_cpu(cs);
}

void gicv3_detach_cpu(GICv3State *s, unsigned n)
{
    GICv3CPUState *cs;

    g_assert(bql_locked());
    g_assert(n < s->num_cpu);

    cs = &s->cpu[n];
    g_assert(cs->cpu);

    gicv3_set_gicv3state(cs->cpu, NULL);
    cs->cpu = NULL;
}
