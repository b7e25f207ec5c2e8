// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inventory of the CPUs that the MADT describes with GICC structures
 * (ACPI 6.5, 5.2.12.14)
 *
 * All that firmware says about CPUs in the MADT and in _MAT is read here. The
 * code allocates nothing, prints nothing and keeps no state, so that it can
 * run before the allocators do, and be compiled and fuzzed in user space.
 */

#include <linux/acpi.h>
#include <linux/acpi_gicc.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/string.h>

#include <asm/cputype.h>

/* The GICC of ACPI 5.1 ends where ACPI 6.0 added the efficiency class. */
#define GICC_MIN_LENGTH	\
	offsetof(struct acpi_madt_generic_interrupt, efficiency_class)

enum gicc_class {
	GICC_ENABLED,
	GICC_ONLINE_CAPABLE,
	GICC_DISABLED,
};

static enum gicc_class __init
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
	u32 offset;		/* of the entry that madt_next() returned */
	u32 next;		/* of the entry after it */
	bool broken;		/* the walk ended before the table did */
};

/* The next whole subtable, or NULL. Nothing outside the table is read. */
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

/* The next GICC that is long enough to be one, or NULL. */
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
 * The index: open addressing, an id plus one in each slot that is taken. Ids
 * come and never go, so of two with the same key the lower one is found.
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

/* The slot of @key, or the free one where it belongs */
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

/* What acpi_gicc_build() was given */
struct gicc_builder {
	struct acpi_gicc_inventory *inv;
	const struct acpi_table_madt *madt;
	u64 boot_mpidr;
	acpi_gicc_report_fn report;
};

/* Short firmware entries leave the later fields of the copy zero. */
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

/* Look at everything once: what kind of GIC, broken and short entries. */
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
 * The entry of the CPU that runs this code. It may be a hot-pluggable one: a
 * crash kernel boots on whatever CPU crashed.
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

static void __init add_gicc(const struct gicc_builder *b,
			    const struct acpi_madt_generic_interrupt *gicc,
			    u32 offset)
{
	struct acpi_gicc_inventory *inv = b->inv;

	if (!mpidr_valid(gicc->arm_mpidr)) {
		b->report(ACPI_GICC_BAD_MPIDR, gicc, offset);
		return;
	}
	if (gicc->arm_mpidr == b->boot_mpidr) {
		b->report(ACPI_GICC_DUP_BOOT, gicc, offset);
		return;
	}
	if (acpi_gicc_find_mpidr(inv, gicc->arm_mpidr) >= 0) {
		b->report(ACPI_GICC_DUP_MPIDR, gicc, offset);
		return;
	}
	if (acpi_gicc_find_uid(inv, gicc->uid) >= 0) {
		b->report(ACPI_GICC_DUP_UID, gicc, offset);
		/*
		 * A CPU that is there runs without its processor device, but
		 * one that comes through its processor device needs its UID.
		 */
		if (gicc_classify(gicc) != GICC_ENABLED)
			return;
	}
	if (inv->nr >= inv->max) {
		b->report(ACPI_GICC_NO_ROOM, gicc, offset);
		return;
	}
	take_gicc(inv, inv->nr++, gicc);
}

static bool __init disabled_is_hotplug(const struct acpi_gicc_policy *policy,
				       bool online_capable_seen)
{
	switch (policy->disabled) {
	case ACPI_GICC_DISABLED_IGNORE:
		return false;
	case ACPI_GICC_DISABLED_HOTPLUG:
		return true;
	case ACPI_GICC_DISABLED_AUTO:
		break;
	}

	/* ACPI 6.5 has online-capable: what does not use it means disabled. */
	if (policy->fadt_major > 6 ||
	    (policy->fadt_major == 6 && policy->fadt_minor >= 5))
		return false;

	return policy->hypervisor_id && !online_capable_seen;
}

/**
 * acpi_gicc_build - number the CPUs of a MADT
 * @inv: inventory with @gicc, @index and @max set; the rest is filled in
 * @madt: the table; header.length bytes of it can be read
 * @boot_mpidr: MPIDR of the CPU that runs the kernel, affinity bits only
 * @policy: what decides over the entries that are not enabled
 * @report: called for each problem
 *
 * The boot CPU is id 0, then come the enabled entries in MADT order, then the
 * hot-pluggable ones in MADT order: a limit on the number of CPUs never pushes
 * out a CPU that is there at boot. An entry that cannot be used is reported
 * and costs no other entry.
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
	bool online_capable_seen = false, hotplug_disabled;
	struct madt_cursor c;

	inv->nr = 1;
	inv->nr_no_hotplug = 0;
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

	hotplug_disabled = disabled_is_hotplug(policy, online_capable_seen);
	for_each_gicc(gicc, &c, madt) {
		enum gicc_class class = gicc_classify(gicc);

		if (gicc == boot || class == GICC_ENABLED ||
		    (class == GICC_DISABLED && !hotplug_disabled))
			continue;
		if (policy->hotplug && inv->gicv3)
			add_gicc(&b, gicc, c.offset);
		else
			inv->nr_no_hotplug++;
	}
}

/**
 * acpi_gicc_find_uid - look a CPU up by its ACPI Processor UID
 * @inv: inventory
 * @uid: ACPI Processor UID
 *
 * It takes the same time however many CPUs there are.
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
 * It takes the same time however many CPUs there are.
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
 * The MADT has told all about the CPU already. _MAT can only confirm it, and
 * firmware that contradicts itself is not to be trusted with this CPU.
 *
 * ACPI 6.5, 6.2.10 _MAT (Multiple APIC Table Entry).
 *
 * Context: any.
 * Return: 0, -EINVAL if the buffer holds no whole GICC, -EXDEV if it is the
 * GICC of another CPU.
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
