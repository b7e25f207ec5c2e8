// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inventory of the CPUs that the MADT describes with GICC structures
 * (ACPI 6.5, 5.2.12.14)
 *
 * The GICC structures of the MADT and of _MAT are parsed here and nowhere
 * else. The code does not allocate, does not print and has no static state: it
 * runs before the allocators do, and can be built and fuzzed in user space.
 */

#include <linux/acpi.h>
#include <linux/acpi_gicc.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/cputype.h>

/* ACPI 6.0 appended the efficiency class to the GICC of ACPI 5.1. */
#define GICC_MIN_LENGTH	\
	offsetof(struct acpi_madt_generic_interrupt, efficiency_class)

enum gicc_class {
	GICC_ENABLED,
	GICC_ONLINE_CAPABLE,
	GICC_DISABLED,
};

static enum gicc_class
gicc_classify(const struct acpi_madt_generic_interrupt *gicc)
{
	if (gicc->flags & ACPI_MADT_ENABLED)
		return GICC_ENABLED;
	if (gicc->flags & ACPI_MADT_GICC_ONLINE_CAPABLE)
		return GICC_ONLINE_CAPABLE;
	return GICC_DISABLED;
}

struct madt_cursor {
	const struct acpi_table_madt *madt;
	u32 offset;		/* offset of the current entry */
	u32 next;		/* offset of the next entry */
	bool broken;		/* the current entry has an invalid length */
};

/* Return the next complete subtable, or NULL. Never read past the table. */
static const struct acpi_subtable_header * __init
madt_next(struct madt_cursor *c)
{
	const struct acpi_subtable_header *entry;
	u32 left;

	if (c->madt->header.length <= c->next)
		return NULL;

	c->offset = c->next;
	left = c->madt->header.length - c->offset;
	entry = (const void *)c->madt + c->offset;
	if (left < sizeof(*entry) || entry->length < sizeof(*entry) ||
	    entry->length > left) {
		c->broken = true;
		return NULL;
	}

	c->next += entry->length;
	return entry;
}

/* Return the next GICC of at least the minimum length, or NULL. */
static const struct acpi_madt_generic_interrupt * __init
gicc_next(struct madt_cursor *c)
{
	const struct acpi_subtable_header *entry;

	while ((entry = madt_next(c))) {
		if (entry->type == ACPI_MADT_TYPE_GENERIC_INTERRUPT &&
		    entry->length >= GICC_MIN_LENGTH)
			return (const void *)entry;
	}
	return NULL;
}

#define for_each_gicc(gicc, c, table)					\
	for (*(c) = (struct madt_cursor) { .madt = (table),		\
					   .next = sizeof(*(table)) };	\
	     (gicc = gicc_next(c)) != NULL;)

/*
 * Hash tables with open addressing. A used slot holds the id plus one. Entries
 * are added in the order of their ids and never removed: of two ids with the
 * same key, the lookup finds the lower one.
 */
struct gicc_index {
	u16 *slots;
	unsigned int nr;
	u64 (*key_of)(const struct acpi_madt_generic_interrupt *gicc);
};

static u64 uid_of(const struct acpi_madt_generic_interrupt *gicc)
{
	return gicc->uid;
}

static u64 mpidr_of(const struct acpi_madt_generic_interrupt *gicc)
{
	return gicc->arm_mpidr;
}

static struct gicc_index uid_index(const struct acpi_gicc_inventory *inv)
{
	return (struct gicc_index) { inv->index, 2 * inv->max, uid_of };
}

static struct gicc_index mpidr_index(const struct acpi_gicc_inventory *inv)
{
	unsigned int nr = 2 * inv->max;

	return (struct gicc_index) { inv->index + nr, nr, mpidr_of };
}

/* Return the slot that holds @key, or the free slot to store it in. */
static unsigned int find_slot(const struct acpi_gicc_inventory *inv,
			      struct gicc_index index, u64 key)
{
	unsigned int slot = (u64)hash_64(key, 32) * index.nr >> 32;

	while (index.slots[slot] &&
	       index.key_of(&inv->gicc[index.slots[slot] - 1]) != key)
		slot = (slot + 1) % index.nr;
	return slot;
}

static int find_id(const struct acpi_gicc_inventory *inv,
		   struct gicc_index index, u64 key)
{
	unsigned int slot = find_slot(inv, index, key);

	return index.slots[slot] ? index.slots[slot] - 1 : -ENOENT;
}

static void __init add_to_index(struct acpi_gicc_inventory *inv,
				struct gicc_index index, unsigned int id)
{
	unsigned int slot = find_slot(inv, index, index.key_of(&inv->gicc[id]));

	if (!index.slots[slot])
		index.slots[slot] = id + 1;
}

/* The arguments of acpi_gicc_build() */
struct gicc_builder {
	struct acpi_gicc_inventory *inv;
	const struct acpi_table_madt *madt;
	u64 boot_mpidr;
	acpi_gicc_report_fn report;
};

/* Fields that the firmware's entry is too short for are zero in the copy. */
static void __init gicc_copy(struct acpi_madt_generic_interrupt *to,
			     const struct acpi_madt_generic_interrupt *from)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, from, min_t(size_t, from->header.length, sizeof(*to)));
}

static bool __init mpidr_valid(u64 mpidr)
{
	return !(mpidr & ~MPIDR_HWID_BITMASK);
}

/* Find the GIC version. Report truncated and short entries. */
static void __init survey(const struct gicc_builder *b)
{
	struct madt_cursor c = { .madt = b->madt, .next = sizeof(*b->madt) };
	const struct acpi_subtable_header *entry;
	u8 version = ACPI_MADT_GIC_VERSION_NONE;
	bool gicr = false;

	while ((entry = madt_next(&c))) {
		const struct acpi_madt_generic_distributor *gicd;

		switch (entry->type) {
		case ACPI_MADT_TYPE_GENERIC_DISTRIBUTOR:
			gicd = (const void *)entry;
			if (entry->length >= sizeof(*gicd))
				version = gicd->version;
			break;
		case ACPI_MADT_TYPE_GENERIC_REDISTRIBUTOR:
			gicr = true;
			break;
		case ACPI_MADT_TYPE_GENERIC_INTERRUPT:
			if (entry->length < GICC_MIN_LENGTH)
				b->report(ACPI_GICC_SHORT, NULL, c.offset);
			break;
		}
	}
	if (c.broken)
		b->report(ACPI_GICC_BAD_SUBTABLE, NULL, c.offset);

	/* Before ACPI 5.1 the distributor did not say its version. */
	b->inv->gicv3 = version >= ACPI_MADT_GIC_VERSION_V3 ||
			(version == ACPI_MADT_GIC_VERSION_NONE && gicr);
}

/*
 * Find the entry of the boot CPU. It need not be enabled: a crash kernel boots
 * on the CPU that crashed, which may have been hot-added.
 */
static const struct acpi_madt_generic_interrupt * __init
find_boot_gicc(const struct gicc_builder *b)
{
	const struct acpi_madt_generic_interrupt *gicc, *best = NULL;
	struct madt_cursor c;

	for_each_gicc(gicc, &c, b->madt) {
		if (gicc->arm_mpidr != b->boot_mpidr)
			continue;
		if (!best || gicc_classify(gicc) < gicc_classify(best))
			best = gicc;
	}
	return best;
}

static void __init take_gicc(struct acpi_gicc_inventory *inv, unsigned int id,
			     const struct acpi_madt_generic_interrupt *gicc)
{
	gicc_copy(&inv->gicc[id], gicc);
	add_to_index(inv, uid_index(inv), id);
	add_to_index(inv, mpidr_index(inv), id);
}

/* Give @gicc the next id. Return false if the entry cannot be used. */
static bool __init add_gicc(const struct gicc_builder *b,
			    const struct acpi_madt_generic_interrupt *gicc,
			    u32 offset)
{
	struct acpi_gicc_inventory *inv = b->inv;

	if (!mpidr_valid(gicc->arm_mpidr)) {
		b->report(ACPI_GICC_BAD_MPIDR, gicc, offset);
		return false;
	}
	if (gicc->arm_mpidr == b->boot_mpidr) {
		b->report(ACPI_GICC_DUP_BOOT, gicc, offset);
		return false;
	}
	if (acpi_gicc_find_mpidr(inv, gicc->arm_mpidr) >= 0) {
		b->report(ACPI_GICC_DUP_MPIDR, gicc, offset);
		return false;
	}
	if (acpi_gicc_find_uid(inv, gicc->uid) >= 0) {
		b->report(ACPI_GICC_DUP_UID, gicc, offset);
		/*
		 * A CPU that is there runs without its processor device, but
		 * one that comes through its processor device needs its UID.
		 */
		if (gicc_classify(gicc) != GICC_ENABLED)
			return false;
	}
	if (inv->nr >= inv->max) {
		b->report(ACPI_GICC_NO_ROOM, gicc, offset);
		return false;
	}
	take_gicc(inv, inv->nr++, gicc);
	return true;
}

/* Decide how GICCs with no flag set are taken, and by which rule. */
static bool __init disabled_is_hotplug(struct acpi_gicc_inventory *inv,
				       const struct acpi_gicc_policy *policy,
				       bool online_capable_seen)
{
	inv->rule = ACPI_GICC_BY_POLICY;
	switch (policy->disabled) {
	case ACPI_GICC_DISABLED_IGNORE:
		return false;
	case ACPI_GICC_DISABLED_HOTPLUG:
		return true;
	case ACPI_GICC_DISABLED_AUTO:
		break;
	}

	inv->rule = ACPI_GICC_BY_BARE_METAL;
	if (!policy->hypervisor_id)
		return false;

	/* ACPI 6.5 added online-capable. */
	inv->rule = ACPI_GICC_BY_FADT_VERSION;
	if (policy->fadt_major > 6 ||
	    (policy->fadt_major == 6 && policy->fadt_minor >= 5))
		return false;

	inv->rule = ACPI_GICC_BY_ONLINE_CAPABLE;
	if (online_capable_seen)
		return false;

	inv->rule = ACPI_GICC_BY_HYPERVISOR;
	return true;
}

static bool __init is_copy(const struct acpi_madt_generic_interrupt *copy,
			   const struct acpi_madt_generic_interrupt *gicc)
{
	return !memcmp(copy, gicc, GICC_MIN_LENGTH);
}

/*
 * The enabled CPUs have the first ids so far, the hot-pluggable CPUs have the
 * next ones, both in MADT order. Renumber the CPUs that get an id below
 * @inv->limit: all of them in MADT order.
 */
static void __init number_in_madt_order(const struct gicc_builder *b)
{
	struct acpi_gicc_inventory *inv = b->inv;
	unsigned int nr = min(inv->nr, inv->limit);
	unsigned int enabled = 1, hotplug = inv->nr_enabled, id = 1;
	const struct acpi_madt_generic_interrupt *gicc;
	u16 *new_id = inv->index;
	struct madt_cursor c;

	if (nr <= inv->nr_enabled)
		return;

	/* The index is rebuilt below. Its memory holds the new ids until then. */
	for_each_gicc(gicc, &c, b->madt) {
		if (enabled < inv->nr_enabled &&
		    is_copy(&inv->gicc[enabled], gicc))
			new_id[enabled++] = id++;
		else if (hotplug < nr && is_copy(&inv->gicc[hotplug], gicc))
			new_id[hotplug++] = id++;
	}

	for (id = 1; id < nr; id++) {
		while (new_id[id] != id) {
			unsigned int to = new_id[id];

			swap(inv->gicc[id], inv->gicc[to]);
			new_id[id] = new_id[to];
			new_id[to] = to;
		}
	}

	memset(inv->index, 0, ACPI_GICC_INDEX(inv->max) * sizeof(*inv->index));
	for (id = inv->boot_found ? 0 : 1; id < inv->nr; id++) {
		add_to_index(inv, uid_index(inv), id);
		add_to_index(inv, mpidr_index(inv), id);
	}
}

/**
 * acpi_gicc_build - number the CPUs of a MADT
 * @inv: inventory with @gicc, @index, @max and @limit set; the rest is filled in
 * @madt: the table; header.length bytes of it can be read
 * @boot_mpidr: MPIDR of the boot CPU, affinity bits only
 * @policy: how to take the entries that are not enabled
 * @report: called for each problem
 *
 * The boot CPU is id 0. The other CPUs, enabled and hot-pluggable, are numbered
 * in MADT order. If there are more CPUs than @inv->limit, hot-pluggable CPUs are
 * left out before enabled ones, the last of the MADT first. The CPUs left out
 * get the ids from @inv->limit on, so that lookups find them. If there are more
 * than @inv->max, the rest is dropped in the same order.
 *
 * An entry that cannot be used is reported and does not affect other entries.
 *
 * ACPI 6.5, 5.2.12.14 GIC CPU Interface (GICC) Structure.
 *
 * Context: any; @inv must not be in use elsewhere.
 */
void __init acpi_gicc_build(struct acpi_gicc_inventory *inv,
			    const struct acpi_table_madt *madt, u64 boot_mpidr,
			    const struct acpi_gicc_policy *policy,
			    acpi_gicc_report_fn report)
{
	const struct gicc_builder b = {
		.inv		= inv,
		.madt		= madt,
		.boot_mpidr	= boot_mpidr,
		.report		= report,
	};
	const struct acpi_madt_generic_interrupt *gicc, *boot;
	bool online_capable_seen = false;
	struct madt_cursor c;

	inv->nr = 1;
	inv->nr_no_hotplug = 0;
	inv->nr_disabled = 0;
	memset(&inv->gicc[0], 0, sizeof(inv->gicc[0]));
	memset(inv->index, 0, ACPI_GICC_INDEX(inv->max) * sizeof(*inv->index));

	survey(&b);

	boot = find_boot_gicc(&b);
	inv->boot_found = boot;
	if (boot)
		take_gicc(inv, 0, boot);

	for_each_gicc(gicc, &c, madt) {
		if (gicc->flags & ACPI_MADT_GICC_ONLINE_CAPABLE)
			online_capable_seen = true;
		if (gicc_classify(gicc) != GICC_ENABLED)
			continue;
		if (gicc->flags & ACPI_MADT_GICC_ONLINE_CAPABLE)
			report(ACPI_GICC_BOTH_FLAGS, gicc, c.offset);
		if (gicc != boot)
			add_gicc(&b, gicc, c.offset);
	}
	inv->nr_enabled = inv->nr;

	inv->disabled_hotplug = disabled_is_hotplug(inv, policy,
						    online_capable_seen);
	for_each_gicc(gicc, &c, madt) {
		enum gicc_class class = gicc_classify(gicc);

		if (gicc == boot || class == GICC_ENABLED)
			continue;
		if (class == GICC_DISABLED && !inv->disabled_hotplug)
			inv->nr_disabled++;
		else if (!policy->hotplug || !inv->gicv3)
			inv->nr_no_hotplug++;
		else if (add_gicc(&b, gicc, c.offset))
			inv->nr_disabled += class == GICC_DISABLED;
	}

	number_in_madt_order(&b);
}

/**
 * acpi_gicc_hotpluggable - is a CPU hot-pluggable?
 * @inv: inventory
 * @id: logical id
 *
 * Return: true if the CPU is not enabled in the MADT and is not the boot CPU.
 */
bool acpi_gicc_hotpluggable(const struct acpi_gicc_inventory *inv,
			    unsigned int id)
{
	return id && id < inv->nr &&
	       gicc_classify(&inv->gicc[id]) != GICC_ENABLED;
}

/**
 * acpi_gicc_find_uid - look a CPU up by its ACPI Processor UID
 * @inv: inventory
 * @uid: ACPI Processor UID
 *
 * The time it takes does not depend on the number of CPUs.
 *
 * Return: the logical id, or -ENOENT.
 */
int acpi_gicc_find_uid(const struct acpi_gicc_inventory *inv, u32 uid)
{
	return find_id(inv, uid_index(inv), uid);
}

/**
 * acpi_gicc_find_mpidr - look a CPU up by its MPIDR
 * @inv: inventory
 * @mpidr: MPIDR, affinity bits only
 *
 * The time it takes does not depend on the number of CPUs.
 *
 * Return: the logical id, or -ENOENT.
 */
int acpi_gicc_find_mpidr(const struct acpi_gicc_inventory *inv, u64 mpidr)
{
	return find_id(inv, mpidr_index(inv), mpidr);
}

/**
 * acpi_gicc_check_mat - does a _MAT buffer describe this CPU?
 * @buf: the buffer that _MAT returned
 * @len: its length in bytes
 * @gicc: the CPU's entry in the inventory
 *
 * The MADT has the same GICC. Nothing is taken from _MAT, its UID and MPIDR
 * are compared with those of the MADT.
 *
 * ACPI 6.5, 6.2.10 _MAT (Multiple APIC Table Entry).
 *
 * Context: any.
 * Return: 0, -EINVAL if the buffer holds no complete GICC, -EXDEV if it holds
 * the GICC of another CPU.
 */
int acpi_gicc_check_mat(const void *buf, size_t len,
			const struct acpi_madt_generic_interrupt *gicc)
{
	const struct acpi_madt_generic_interrupt *mat = buf;

	if (len < GICC_MIN_LENGTH ||
	    mat->header.type != ACPI_MADT_TYPE_GENERIC_INTERRUPT ||
	    mat->header.length < GICC_MIN_LENGTH || mat->header.length > len)
		return -EINVAL;

	if (mat->uid != gicc->uid || mat->arm_mpidr != gicc->arm_mpidr)
		return -EXDEV;

	return 0;
}
