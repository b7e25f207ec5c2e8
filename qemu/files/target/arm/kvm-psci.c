/*
 * PSCI calls that KVM leaves to QEMU
 *
 * KVM implements PSCI for its guests, and knows nothing of CPUs that may be
 * plugged later: their vCPUs exist, and it would power on one that nobody
 * runs.  So on machines with vCPU hotplug the calls that name a CPU come here.
 * CPU_OFF does as well, because who powers CPUs on must know which are off.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <linux/kvm.h>
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "cpu.h"
#include "arm-powerctl.h"
#include "exec/cpu-defs.h"
#include "kvm_arm.h"
#include "kvm-consts.h"
#include "system/hw_accel.h"
#include "system/kvm.h"
#include "system/kvm_int.h"
#include "target/arm/multiprocessing.h"

bool kvm_arm_psci_to_user(void)
{
    static const uint32_t functions[] = {
        QEMU_PSCI_0_2_FN_CPU_OFF,
        QEMU_PSCI_0_2_FN_CPU_ON,
        QEMU_PSCI_0_2_FN_AFFINITY_INFO,
        QEMU_PSCI_0_2_FN64_CPU_ON,
        QEMU_PSCI_0_2_FN64_AFFINITY_INFO,
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(functions); i++) {
        struct kvm_smccc_filter filter = {
            .base = functions[i],
            .nr_functions = 1,
            .action = KVM_SMCCC_FILTER_FWD_TO_USER,
        };
        struct kvm_device_attr attr = {
            .group = KVM_ARM_VM_SMCCC_CTRL,
            .attr = KVM_ARM_VM_SMCCC_FILTER,
            .addr = (uintptr_t)&filter,
        };

        /* Not kvm_vm_check_attr(): Arm's KVM lacks the capability for it */
        if (kvm_vm_ioctl(kvm_state, KVM_SET_DEVICE_ATTR, &attr) < 0) {
            /*
             * The ones that were set are harmless: they are answered below,
             * with or without hotplug.
             */
            return false;
        }
    }

    return true;
}

static int64_t kvm_arm_psci_affinity_info(ARMCPU *cpu, uint64_t mpidr,
                                          uint64_t level)
{
    CPUState *target;

    if (level != 0) {
        /* Everything above affinity level 0 is always on. */
        return PSCI_ON;
    }
    if (cpu->psci_deny_absent && arm_cpu_is_absent(mpidr)) {
        return PSCI_OFF;
    }

    target = arm_get_cpu_by_id(mpidr);
    if (!target) {
        return QEMU_PSCI_RET_INVALID_PARAMS;
    }
    return ARM_CPU(target)->psci_stay_on ? PSCI_ON
                                         : ARM_CPU(target)->power_state;
}

static int64_t kvm_arm_psci_cpu_on(ARMCPU *cpu, uint64_t mpidr,
                                   uint64_t entry, uint64_t context_id)
{
    if (cpu->psci_deny_absent && arm_cpu_is_absent(mpidr)) {
        return QEMU_PSCI_RET_DENIED;
    }

    /* KVM guests have EL1 only, and hotplug is for AArch64 ones */
    return arm_set_cpu_on(mpidr, entry, context_id, 1, true);
}

int kvm_arm_handle_hypercall(ARMCPU *cpu, struct kvm_run *run)
{
    CPUARMState *env = &cpu->env;
    uint32_t fn = run->hypercall.nr;
    uint64_t args[4];
    int64_t ret;
    int i;

    BQL_LOCK_GUARD();

    cpu_synchronize_state(CPU(cpu));
    for (i = 0; i < ARRAY_SIZE(args); i++) {
        args[i] = env->xregs[i];
        if (!(fn & QEMU_PSCI_0_2_64BIT)) {
            args[i] = (uint32_t)args[i];
        }
    }

    switch (fn) {
    case QEMU_PSCI_0_2_FN_AFFINITY_INFO:
    case QEMU_PSCI_0_2_FN64_AFFINITY_INFO:
        ret = kvm_arm_psci_affinity_info(cpu, args[1], args[2]);
        break;
    case QEMU_PSCI_0_2_FN_CPU_ON:
    case QEMU_PSCI_0_2_FN64_CPU_ON:
        ret = kvm_arm_psci_cpu_on(cpu, args[1], args[2], args[3]);
        break;
    case QEMU_PSCI_0_2_FN_CPU_OFF:
        arm_set_cpu_off(arm_cpu_mp_affinity(cpu));
        /* Out of the run loop, to the work that has just been queued */
        return EXCP_INTERRUPT;
    default:
        qemu_log_mask(LOG_UNIMP, "%s: unexpected function 0x%" PRIx32 "\n",
                      __func__, fn);
        ret = QEMU_PSCI_RET_NOT_SUPPORTED;
        break;
    }

    env->xregs[0] = ret;
    return 0;
}
