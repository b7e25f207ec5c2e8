/*
 * ARM mach-virt emulation: vCPU hotplug
 *
 * The slots of the machine are those of possible_cpus: their number, their
 * MPIDRs and their places in the topology are fixed when the machine starts,
 * and so is everything that the guest finds at boot: MADT, PPTT and SRAT
 * entries, redistributors, ACPI devices.  What comes and goes is the ARMCPU in
 * a slot, a fresh one each time.
 *
 * The way of a CPU:
 *
 *   device_add    pre_plug  is it allowed? find the slot, set the properties
 *                 realize   the vCPU thread starts; the CPU is powered off
 *                 plug      join redistributor, PSCI, reset; tell the guest
 *   the guest     _STA, CPU_ON; much later CPU_OFF
 *   device_del    unplug_request  ask the guest
 *   the guest     _EJ0: the slot reads as empty from now on
 *   main loop     unplug    end the thread, leave reset and redistributor;
 *                           the slot is free again; DEVICE_DELETED
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qapi/error.h"
#include "qobject/qjson.h"
#include "qobject/qobject.h"
#include "qom/qom-qobject.h"
#include "hw/acpi/cpu.h"
#include "hw/acpi/generic_event_device.h"
#include "hw/arm/boot.h"
#include "hw/boards.h"
#include "hw/intc/arm_gicv3_common.h"
#include "hw/nvram/fw_cfg.h"
#include "hw/qdev-core.h"
#include "hw/qdev-properties.h"
#include "system/cpu-timers.h"
#include "system/hvf.h"
#include "system/kvm.h"
#include "system/numa.h"
#include "system/tcg.h"
#include "kvm_arm.h"
#include "target/arm/cpu-qom.h"
#include "target/arm/multiprocessing.h"
#include "virt-cpu-hotplug.h"

/* ACPI 6.5, 5.2.12.14: flags of the GICC structure */
#define GICC_ENABLED            (1 << 0)
#define GICC_ONLINE_CAPABLE     (1 << 3)

/* ACPI 6.5, 6.3.7: _STA, all but "enabled and decoding its resources" */
#define STA_NOT_ENABLED         0xd

/*
 * How to describe absent CPUs to the guest, by what is in use in the field.
 * Everybody gets the first; the others are there to test guests with.
 */
static const struct {
    const char *name;
    uint32_t gicc_flags;        /* MADT flags of an absent CPU */
    uint8_t sta_absent;         /* its _STA */
    bool mat;                   /* CPUs have a _MAT */
    bool psci_denied;           /* CPU_ON is DENIED, not INVALID_PARAMETERS */
} dialects[] = {
    { "online-capable", GICC_ONLINE_CAPABLE, STA_NOT_ENABLED, false, true },
    { "hidden",         GICC_ONLINE_CAPABLE, 0,               false, true },
    { "disabled",       0,                   0,               true,  false },
};

/*
 * virt_cpu_hotplug_obstacle:
 *
 * Returns: why CPUs cannot be plugged, to go into a message, or NULL if they
 * can.  All of it is known when the machine starts and stays so.
 */
static const char *virt_cpu_hotplug_obstacle(VirtMachineState *vms,
                                             bool firmware_loaded,
                                             bool aarch64)
{
    MachineState *ms = MACHINE(vms);
    VirtMachineClass *vmc = VIRT_MACHINE_GET_CLASS(vms);

    if (!MACHINE_GET_CLASS(ms)->has_hotpluggable_cpus) {
        return "this version of the machine type does not have it";
    }
    if (ms->smp.max_cpus == ms->smp.cpus) {
        return "the machine was started without spare CPUs, "
               "see '-smp cpus=,maxcpus='";
    }
    if (!aarch64) {
        return "it needs 64-bit CPUs";
    }
    if (vms->gic_version == VIRT_GIC_VERSION_2) {
        return "it needs a GICv3, see '-machine gic-version='";
    }
    if (!virt_is_acpi_enabled(vms) || vmc->no_ged) {
        return "it needs ACPI, see '-machine acpi='";
    }
    if (!firmware_loaded) {
        return "it needs ACPI and thus firmware, see '-bios'";
    }
    if (vms->psci_conduit == QEMU_PSCI_CONDUIT_DISABLED) {
        return "it needs QEMU's own PSCI, "
               "which is not there with '-machine secure=on'";
    }
    if (hvf_enabled()) {
        return "the accelerator does not support it";
    }
    if (icount_enabled()) {
        return "it does not work with -icount";
    }
    if (tcg_enabled() && !qemu_tcg_mttcg_enabled()) {
        return "it needs a thread for each CPU, see '-accel tcg,thread='";
    }
    if (kvm_enabled() && !kvm_arm_psci_to_user()) {
        return "KVM on this host does not let QEMU answer PSCI calls "
               "(Linux 6.4 and later do)";
    }

    return NULL;
}

/*
 * KVM takes no new vCPU once the vGIC is initialized.  Create all of them now,
 * and put those that have no CPU aside until one is plugged.  KVM must not see
 * a difference then, so they are set up by the same code for the same CPUs.
 */
static void virt_cpu_hotplug_create_parked(VirtMachineState *vms)
{
    MachineState *ms = MACHINE(vms);
    unsigned n;

    for (n = ms->smp.cpus; n < ms->smp.max_cpus; n++) {
        const CPUArchId *slot = &ms->possible_cpus->cpus[n];
        Object *cpuobj = object_new(slot->type);

        CPU(cpuobj)->cpu_index = n;
        CPU(cpuobj)->start_powered_off = true;
        virt_cpu_set_properties(vms, cpuobj, slot);
        kvm_arm_create_parked_vcpu(ARM_CPU(cpuobj), &error_fatal);
        g_ptr_array_add(vms->parked_cpus, cpuobj);
    }
}

static void virt_cpu_hotplug_prepare(VirtMachineState *vms, ARMCPU *cpu)
{
    cpu->psci_deny_absent = dialects[vms->acpi_cpu_dialect].psci_denied;
    /*
     * Registers tell the number of cores, and are compared by migration: it
     * must not depend on which CPUs are those of -smp.
     */
    cpu->core_count = MACHINE(vms)->smp.max_cpus;
}

void virt_cpu_hotplug_init(VirtMachineState *vms, bool firmware_loaded,
                           bool aarch64)
{
    CPUState *cs;

    vms->cpu_hotplug_obstacle = virt_cpu_hotplug_obstacle(vms, firmware_loaded,
                                                          aarch64);
    vms->cpu_hotplug = !vms->cpu_hotplug_obstacle;
    if (!vms->cpu_hotplug) {
        return;
    }

    CPU_FOREACH(cs) {
        virt_cpu_hotplug_prepare(vms, ARM_CPU(cs));
    }

    if (kvm_enabled()) {
        vms->parked_cpus = g_ptr_array_new_with_free_func(object_unref);
        virt_cpu_hotplug_create_parked(vms);
    }
}

void virt_cpu_hotplug_gic_ready(VirtMachineState *vms)
{
    unsigned i;

    if (!vms->parked_cpus) {
        return;
    }

    for (i = 0; i < vms->parked_cpus->len; i++) {
        CPUState *cs = CPU(g_ptr_array_index(vms->parked_cpus, i));

        virt_kvm_cpu_post_init(vms, cs);
    }

    /* The ARMCPUs have done their duty, the KVM vCPUs stay */
    g_clear_pointer(&vms->parked_cpus, g_ptr_array_unref);
}

static void virt_update_nb_cpus(VirtMachineState *vms)
{
    MachineState *ms = MACHINE(vms);
    uint16_t count = 0;
    int n;

    for (n = 0; n < ms->possible_cpus->len; n++) {
        count += ms->possible_cpus->cpus[n].cpu != NULL;
    }
    fw_cfg_modify_i16(vms->fw_cfg, FW_CFG_NB_CPUS, count);
}

/*
 * Check and complete one of the ids that make up the place of a CPU.  It may
 * be left out where there is no choice.
 */
static bool virt_cpu_check_id(Object *cpuobj, const char *name, unsigned count,
                              Error **errp)
{
    int64_t id = object_property_get_int(cpuobj, name, &error_abort);

    if (id == -1 && count == 1) {
        return object_property_set_int(cpuobj, name, 0, errp);
    }
    if (id == -1) {
        error_setg(errp, "%s is missing, it must be in the range 0 to %u",
                   name, count - 1);
        return false;
    }
    if (id < 0 || id >= count) {
        error_setg(errp, "%s %" PRId64 " is out of range, "
                   "it must be in the range 0 to %u", name, id, count - 1);
        return false;
    }
    return true;
}

static CPUArchId *virt_cpu_find_slot(VirtMachineState *vms, ARMCPU *cpu,
                                     Error **errp)
{
    MachineState *ms = MACHINE(vms);
    Object *cpuobj = OBJECT(cpu);
    int n;

    if (!virt_cpu_check_id(cpuobj, "socket-id", ms->smp.sockets, errp) ||
        !virt_cpu_check_id(cpuobj, "cluster-id", ms->smp.clusters, errp) ||
        !virt_cpu_check_id(cpuobj, "core-id", ms->smp.cores, errp) ||
        !virt_cpu_check_id(cpuobj, "thread-id", ms->smp.threads, errp)) {
        return NULL;
    }

    for (n = 0; n < ms->possible_cpus->len; n++) {
        CPUArchId *slot = &ms->possible_cpus->cpus[n];

        if (slot->props.socket_id == cpu->socket_id &&
            slot->props.cluster_id == cpu->cluster_id &&
            slot->props.core_id == cpu->core_id &&
            slot->props.thread_id == cpu->thread_id) {
            return slot;
        }
    }

    /* maxcpus is the product of all levels */
    g_assert_not_reached();
}

/* Properties that tell CPUs apart, and those that are not the user's */
static bool virt_cpu_property_may_differ(const ObjectProperty *prop)
{
    static const char * const names[] = {
        "socket-id", "cluster-id", "core-id", "thread-id", "node-id",
        "mp-affinity", "hotplugged", "hotpluggable", "realized",
        "x-psci-deny-on", "x-psci-lose-on", "x-psci-stay-on", "x-no-crc32",
    };
    int i;

    if (!prop->get || !prop->set || g_str_has_prefix(prop->type, "link<") ||
        g_str_has_prefix(prop->type, "child<")) {
        return true;
    }
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(prop->name, names[i])) {
            return true;
        }
    }
    return false;
}

/* Vector lengths are worked out at realize, from what was set until then */
static bool virt_cpu_same_vq(const ARMVQMap *a, const ARMVQMap *b)
{
    return a->map == b->map && a->init == b->init;
}

/*
 * Refuse a CPU that differs from one made with the machine's -cpu option
 * alone.  The guest has looked at the features of the first CPUs at boot, and
 * KVM has created the vCPUs with theirs.
 */
static bool virt_cpu_check_alike(VirtMachineState *vms, DeviceState *dev,
                                 const CPUArchId *slot, Error **errp)
{
    Object *ref = object_new(object_get_typename(OBJECT(dev)));
    ARMCPU *cpu = ARM_CPU(dev);
    ObjectPropertyIterator iter;
    ObjectProperty *prop;
    bool alike = true;

    virt_cpu_set_properties(vms, ref, slot);

    object_property_iter_init(&iter, OBJECT(dev));
    while (alike && (prop = object_property_iter_next(&iter))) {
        QObject *mine, *theirs;

        if (virt_cpu_property_may_differ(prop)) {
            continue;
        }

        mine = object_property_get_qobject(OBJECT(dev), prop->name, NULL);
        theirs = object_property_get_qobject(ref, prop->name, NULL);
        if (mine && theirs && !qobject_is_equal(mine, theirs)) {
            g_autoptr(GString) got = qobject_to_json(mine);
            g_autoptr(GString) want = qobject_to_json(theirs);

            error_setg(errp, "property '%s' is %s, "
                       "but %s for the CPUs of this machine",
                       prop->name, got->str, want->str);
            alike = false;
        }
        qobject_unref(mine);
        qobject_unref(theirs);
    }

    if (alike && (!virt_cpu_same_vq(&cpu->sve_vq, &ARM_CPU(ref)->sve_vq) ||
                  !virt_cpu_same_vq(&cpu->sme_vq, &ARM_CPU(ref)->sme_vq))) {
        error_setg(errp, "the vector lengths of SVE and SME are given by the "
                   "machine's -cpu option, for all CPUs");
        alike = false;
    }

    object_unref(ref);
    return alike;
}

void virt_cpu_pre_plug(VirtMachineState *vms, DeviceState *dev, Error **errp)
{
    MachineState *ms = MACHINE(vms);
    ARMCPU *cpu = ARM_CPU(dev);
    CPUState *cs = CPU(dev);
    CPUArchId *slot;
    Error *err = NULL;

    if (!phase_check(PHASE_MACHINE_INITIALIZED)) {
        /* One of the CPUs that machvirt_init() makes, and knows all about */
        return;
    }

    if (!vms->cpu_hotplug) {
        error_setg(errp, "CPU hotplug is not available: %s",
                   vms->cpu_hotplug_obstacle);
        return;
    }

    if (strcmp(object_get_typename(OBJECT(dev)), ms->cpu_type)) {
        error_setg(errp, "CPU type '%s' is not that of this machine, '%s'",
                   object_get_typename(OBJECT(dev)), ms->cpu_type);
        return;
    }

    slot = virt_cpu_find_slot(vms, cpu, errp);
    if (!slot) {
        return;
    }

    if (slot->cpu) {
        DeviceState *old = DEVICE(slot->cpu);
        g_autofree char *path = object_get_canonical_path(OBJECT(old));

        error_setg(errp, "socket-id %d, cluster-id %d, core-id %d, "
                   "thread-id %d is in use by CPU '%s'%s",
                   cpu->socket_id, cpu->cluster_id, cpu->core_id,
                   cpu->thread_id, old->id ?: path,
                   old->pending_deleted_event ? ", whose eject is under way"
                                              : "");
        return;
    }

    if (cpu->mp_affinity != ARM64_AFFINITY_INVALID &&
        cpu->mp_affinity != slot->arch_id) {
        error_setg(errp, "mp-affinity must be 0x%" PRIx64 " here",
                   slot->arch_id);
        return;
    }

    numa_cpu_pre_plug(slot, dev, &err);
    if (err) {
        error_propagate(errp, err);
        return;
    }

    virt_cpu_set_properties(vms, OBJECT(dev), slot);
    if (!virt_cpu_check_alike(vms, dev, slot, errp)) {
        return;
    }

    cs->cpu_index = slot - ms->possible_cpus->cpus;
    cs->start_powered_off = true;
    virt_cpu_hotplug_prepare(vms, cpu);
}

void virt_cpu_plug(VirtMachineState *vms, DeviceState *dev, Error **errp)
{
    CPUState *cs = CPU(dev);

    MACHINE(vms)->possible_cpus->cpus[cs->cpu_index].cpu = cs;

    if (!phase_check(PHASE_MACHINE_INITIALIZED)) {
        return;
    }

    gicv3_attach_cpu(ARM_GICV3_COMMON(vms->gic), cs->cpu_index, cs);
    virt_gic_connect_cpu(vms, cs->cpu_index, dev);
    arm_boot_plug_cpu(ARM_CPU(dev), &vms->bootinfo);
    virt_update_nb_cpus(vms);
    hotplug_handler_plug(HOTPLUG_HANDLER(vms->acpi_dev), dev, &error_abort);
}

void virt_cpu_unplug_request(VirtMachineState *vms, DeviceState *dev,
                             Error **errp)
{
    if (!vms->cpu_hotplug) {
        error_setg(errp, "CPU hotplug is not available: %s",
                   vms->cpu_hotplug_obstacle);
        return;
    }

    if (CPU(dev) == first_cpu) {
        error_setg(errp, "the boot CPU cannot be unplugged");
        return;
    }

    hotplug_handler_unplug_request(HOTPLUG_HANDLER(vms->acpi_dev), dev, errp);
}

void virt_cpu_unplug(VirtMachineState *vms, DeviceState *dev, Error **errp)
{
    CPUState *cs = CPU(dev);
    int n = cs->cpu_index;

    hotplug_handler_unplug(HOTPLUG_HANDLER(vms->acpi_dev), dev, &error_abort);
    arm_boot_unplug_cpu(ARM_CPU(dev));

    /*
     * The thread ends here, and the CPU lowers its lines, so the GIC must
     * still be there for it.  After that nobody uses the CPU interface.
     */
    qdev_unrealize(dev);

    virt_gic_disconnect_cpu(vms, n);
    gicv3_detach_cpu(ARM_GICV3_COMMON(vms->gic), n);
    MACHINE(vms)->possible_cpus->cpus[n].cpu = NULL;
    virt_update_nb_cpus(vms);
}

uint32_t virt_acpi_gicc_flags(VirtMachineState *vms, unsigned n)
{
    CPUState *cs = MACHINE(vms)->possible_cpus->cpus[n].cpu;

    /* The guest has no use for a CPU that it has ejected itself */
    if (!cs || DEVICE(cs)->pending_deleted_event) {
        return dialects[vms->acpi_cpu_dialect].gicc_flags;
    }

    if (vms->madt_boot_cpu_only && cs != first_cpu) {
        return GICC_ONLINE_CAPABLE;
    }

    return GICC_ENABLED;
}

bool virt_acpi_has_online_capable(VirtMachineState *vms)
{
    return vms->madt_boot_cpu_only ||
           (vms->cpu_hotplug &&
            dialects[vms->acpi_cpu_dialect].gicc_flags == GICC_ONLINE_CAPABLE);
}

static void virt_acpi_build_mat(int uid, const CPUArchIdList *possible_cpus,
                                GArray *entry, bool force_enabled)
{
    VirtMachineState *vms = VIRT_MACHINE(qdev_get_machine());
    uint32_t flags = virt_acpi_gicc_flags(vms, uid);

    virt_acpi_build_gicc(entry, vms, uid,
                         force_enabled ? GICC_ENABLED : flags);
}

void virt_acpi_dsdt_add_cpus(Aml *dsdt, VirtMachineState *vms)
{
    CPUHotplugFeatures opts = {
        .sta_absent = dialects[vms->acpi_cpu_dialect].sta_absent,
        .notify_by_halves = true,
    };

    build_cpus_aml(dsdt, MACHINE(vms), opts,
                   dialects[vms->acpi_cpu_dialect].mat ?
                       virt_acpi_build_mat : NULL,
                   vms->memmap[VIRT_CPUHP_ACPI].base, "\\_SB",
                   AML_GED_EVT_CPU_SCAN_METHOD, AML_SYSTEM_MEMORY);
}

static char *virt_get_acpi_cpu_dialect(Object *obj, Error **errp)
{
    return g_strdup(dialects[VIRT_MACHINE(obj)->acpi_cpu_dialect].name);
}

static void virt_set_acpi_cpu_dialect(Object *obj, const char *value,
                                      Error **errp)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(dialects); i++) {
        if (!strcmp(value, dialects[i].name)) {
            VIRT_MACHINE(obj)->acpi_cpu_dialect = i;
            return;
        }
    }

    error_setg(errp, "Invalid x-acpi-cpu-dialect value");
    error_append_hint(errp,
                      "Valid values are online-capable, hidden, disabled.\n");
}

static bool virt_get_madt_boot_cpu_only(Object *obj, Error **errp)
{
    return VIRT_MACHINE(obj)->madt_boot_cpu_only;
}

static void virt_set_madt_boot_cpu_only(Object *obj, bool value, Error **errp)
{
    VIRT_MACHINE(obj)->madt_boot_cpu_only = value;
}

void virt_cpu_hotplug_class_init(ObjectClass *oc)
{
    object_class_property_add_str(oc, "x-acpi-cpu-dialect",
                                  virt_get_acpi_cpu_dialect,
                                  virt_set_acpi_cpu_dialect);
    object_class_property_set_description(oc, "x-acpi-cpu-dialect",
                                          "How to describe absent CPUs to the "
                                          "guest, for tests of guests. Valid "
                                          "values are online-capable, hidden "
                                          "and disabled");

    object_class_property_add_bool(oc, "x-madt-boot-cpu-only",
                                   virt_get_madt_boot_cpu_only,
                                   virt_set_madt_boot_cpu_only);
    object_class_property_set_description(oc, "x-madt-boot-cpu-only",
                                          "Set on to flag only the boot CPU "
                                          "as enabled in MADT and all others "
                                          "as online-capable, for tests of "
                                          "guests");
}
