/*
 * ARM mach-virt emulation: vCPU hotplug
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_ARM_VIRT_CPU_HOTPLUG_H
#define HW_ARM_VIRT_CPU_HOTPLUG_H

#include "hw/acpi/aml-build.h"
#include "hw/arm/virt.h"

/**
 * virt_cpu_hotplug_init:
 * @vms: machine, its boot CPUs exist, its GIC does not
 * @firmware_loaded: true if the guest starts in firmware
 * @aarch64: true if the CPUs are 64-bit ones
 *
 * Decide whether CPUs can be plugged into this machine, and make it ready if
 * they can.  If not, keep the reason to tell whoever tries.
 */
void virt_cpu_hotplug_init(VirtMachineState *vms, bool firmware_loaded,
                           bool aarch64);

/**
 * virt_cpu_hotplug_gic_ready:
 * @vms: machine, its GIC exists and the boot CPUs are complete
 *
 * Finish what virt_cpu_hotplug_init() has begun and what needs the GIC.
 */
void virt_cpu_hotplug_gic_ready(VirtMachineState *vms);

/**
 * virt_cpu_hotplug_class_init:
 * @oc: class of the machine
 *
 * Add the machine properties that have to do with CPU hotplug.
 */
void virt_cpu_hotplug_class_init(ObjectClass *oc);

/* The machine's HotplugHandler methods, for CPUs */
void virt_cpu_pre_plug(VirtMachineState *vms, DeviceState *dev, Error **errp);
void virt_cpu_plug(VirtMachineState *vms, DeviceState *dev, Error **errp);
void virt_cpu_unplug_request(VirtMachineState *vms, DeviceState *dev,
                             Error **errp);
void virt_cpu_unplug(VirtMachineState *vms, DeviceState *dev, Error **errp);

/**
 * virt_acpi_gicc_flags:
 * @vms: machine
 * @n: number of a possible CPU
 *
 * Returns: the flags of the CPU's GICC structure in MADT
 */
uint32_t virt_acpi_gicc_flags(VirtMachineState *vms, unsigned n);

/**
 * virt_acpi_has_online_capable:
 * @vms: machine
 *
 * Returns: true if GICCs may be flagged online-capable, for which the tables
 * must be those of ACPI 6.5
 */
bool virt_acpi_has_online_capable(VirtMachineState *vms);

/**
 * virt_acpi_dsdt_add_cpus:
 * @dsdt: table to add to, the GED is in it already
 * @vms: machine that has CPU hotplug
 *
 * Add the devices of all possible CPUs, and what it takes to plug them.
 */
void virt_acpi_dsdt_add_cpus(Aml *dsdt, VirtMachineState *vms);

/* In virt.c and virt-acpi-build.c */
void virt_cpu_set_properties(VirtMachineState *vms, Object *cpuobj,
                             const CPUArchId *slot);
void virt_gic_connect_cpu(VirtMachineState *vms, int i, DeviceState *cpudev);
void virt_gic_disconnect_cpu(VirtMachineState *vms, int i);
void virt_kvm_cpu_post_init(VirtMachineState *vms, CPUState *cpu);
void virt_acpi_build_gicc(GArray *table_data, VirtMachineState *vms,
                          unsigned n, uint32_t flags);

#endif /* HW_ARM_VIRT_CPU_HOTPLUG_H */
