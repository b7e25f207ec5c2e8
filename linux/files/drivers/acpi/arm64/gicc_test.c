// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the inventory of GICCs
 *
 * Each table is in a buffer of exactly its length: KASAN, or ASan in user
 * space, reports a read past its end.
 */

#include <kunit/test.h>

#include <linux/acpi.h>
#include <linux/acpi_gicc.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/slab.h>
#include <linux/string.h>

#define ENABLED		ACPI_MADT_ENABLED
#define ONLINE_CAPABLE	ACPI_MADT_GICC_ONLINE_CAPABLE
#define DISABLED	0
#define RESERVED	(1U << 31 | 1U << 7)

#define GICC_SIZE	sizeof(struct acpi_madt_generic_interrupt)
#define GICC_MIN	76	/* ACPI 5.1 */

#define ROOM		8
#define POISON		0xa5

/* Hypervisor Vendor Identity "QEMU" of the FADT */
#define HYPERVISOR	0x554d4551ULL

struct report {
	enum acpi_gicc_problem problem;
	const void *gicc;
	u32 offset;
};

/* acpi_gicc_build() calls back without a context. */
static struct report reports[ROOM];
static unsigned int nr_reports, nr_expected;

static void record(enum acpi_gicc_problem problem,
		   const struct acpi_madt_generic_interrupt *gicc, u32 offset)
{
	if (nr_reports < ROOM)
		reports[nr_reports] = (struct report) { problem, gicc, offset };
	nr_reports++;
}

/* The input of a case and the inventory that is built from it */
struct fixture {
	u8 entries[1024];
	u32 len;
	struct acpi_gicc_policy policy;
	struct acpi_table_madt *madt;
	struct acpi_gicc_inventory inv;
};

/* The functions that add an entry return its offset in the MADT. */
static u32 add_entry(struct kunit *test, const void *entry, u32 len)
{
	struct fixture *f = test->priv;
	u32 offset = sizeof(*f->madt) + f->len;

	KUNIT_ASSERT_TRUE(test, f->len + len <= sizeof(f->entries));
	memcpy(f->entries + f->len, entry, len);
	f->len += len;
	return offset;
}

static u32 add_gicc_of(struct kunit *test, u8 len, u32 uid, u64 mpidr,
		       u32 flags)
{
	/* The bytes after the known fields must not matter. */
	union {
		struct acpi_madt_generic_interrupt gicc;
		u8 bytes[256];
	} u;

	memset(&u, POISON, sizeof(u));
	u.gicc.header.type = ACPI_MADT_TYPE_GENERIC_INTERRUPT;
	u.gicc.header.length = len;
	u.gicc.uid = uid;
	u.gicc.arm_mpidr = mpidr;
	u.gicc.flags = flags;
	return add_entry(test, &u, len);
}

static u32 add_gicc(struct kunit *test, u32 uid, u64 mpidr, u32 flags)
{
	return add_gicc_of(test, GICC_SIZE, uid, mpidr, flags);
}

static u32 add_gicd(struct kunit *test, u8 version)
{
	struct acpi_madt_generic_distributor gicd = {
		.header.type	= ACPI_MADT_TYPE_GENERIC_DISTRIBUTOR,
		.header.length	= sizeof(gicd),
		.version	= version,
	};

	return add_entry(test, &gicd, sizeof(gicd));
}

static u32 add_gicr(struct kunit *test)
{
	struct acpi_madt_generic_redistributor gicr = {
		.header.type	= ACPI_MADT_TYPE_GENERIC_REDISTRIBUTOR,
		.header.length	= sizeof(gicr),
		.length		= 0x20000,
	};

	return add_entry(test, &gicr, sizeof(gicr));
}

/* An entry of @len bytes whose length field is @said */
static u32 add_other(struct kunit *test, u8 type, u8 said, u32 len)
{
	u8 entry[256];

	memset(entry, POISON, sizeof(entry));
	entry[0] = type;
	entry[1] = said;
	return add_entry(test, entry, len);
}

static void expect_no_more_reports(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, nr_reports, nr_expected);
	nr_reports = 0;
	nr_expected = 0;
}

/*
 * Build the inventory of the entries added so far, with room for @room CPUs,
 * of which the kernel can use @limit.
 */
static void __init build_limited(struct kunit *test, unsigned int room,
				 unsigned int limit, u64 boot_mpidr)
{
	struct fixture *f = test->priv;
	u32 len = sizeof(*f->madt) + f->len;

	expect_no_more_reports(test);
	f->madt = kunit_kzalloc(test, len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->madt);
	f->madt->header.length = len;
	memcpy(f->madt + 1, f->entries, f->len);

	f->inv.max = room;
	f->inv.limit = limit;
	f->inv.gicc = kunit_kmalloc_array(test, room, sizeof(*f->inv.gicc),
					  GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->inv.gicc);
	memset(f->inv.gicc, POISON, room * sizeof(*f->inv.gicc));
	f->inv.index = kunit_kmalloc_array(test, ACPI_GICC_INDEX(room),
					   sizeof(*f->inv.index), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->inv.index);
	memset(f->inv.index, POISON,
	       ACPI_GICC_INDEX(room) * sizeof(*f->inv.index));

	acpi_gicc_build(&f->inv, f->madt, boot_mpidr, &f->policy, record);
}

static void __init build_in(struct kunit *test, unsigned int room,
			    u64 boot_mpidr)
{
	build_limited(test, room, room, boot_mpidr);
}

static void __init build(struct kunit *test)
{
	build_in(test, ROOM, 0);
}

/* Expect this report next. The end of each case checks that none is left. */
static void expect_report(struct kunit *test, enum acpi_gicc_problem problem,
			  u32 offset)
{
	struct fixture *f = test->priv;
	const struct report *report = &reports[nr_expected];
	const void *gicc = (void *)f->madt + offset;

	if (problem == ACPI_GICC_BAD_SUBTABLE || problem == ACPI_GICC_SHORT)
		gicc = NULL;
	KUNIT_ASSERT_TRUE(test, nr_expected < min_t(u32, nr_reports, ROOM));
	KUNIT_EXPECT_EQ(test, report->problem, problem);
	KUNIT_EXPECT_EQ(test, report->offset, offset);
	KUNIT_EXPECT_PTR_EQ(test, report->gicc, gicc);
	nr_expected++;
}

static void expect_uids(struct kunit *test, unsigned int nr_enabled,
			const u32 *uids, unsigned int nr)
{
	const struct acpi_gicc_inventory *inv =
		&((struct fixture *)test->priv)->inv;
	unsigned int i, hotpluggable = 0;

	KUNIT_EXPECT_EQ(test, inv->nr_enabled, nr_enabled);
	KUNIT_ASSERT_EQ(test, inv->nr, nr);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ_MSG(test, inv->gicc[i].uid, uids[i],
				    "id %u", i);
		hotpluggable += acpi_gicc_hotpluggable(inv, i);
	}
	KUNIT_EXPECT_EQ(test, hotpluggable, nr - nr_enabled);
	KUNIT_EXPECT_FALSE(test, acpi_gicc_hotpluggable(inv, nr));
}

/* The UIDs by logical id. @nr_enabled CPUs are enabled or the boot CPU. */
#define EXPECT_UIDS(test, nr_enabled, ...)				\
	expect_uids(test, nr_enabled, (const u32 []) { __VA_ARGS__ },	\
		    ARRAY_SIZE(((const u32 []) { __VA_ARGS__ })))

/* --- numbering ----------------------------------------------------------- */

static void __init gicc_test_madt_order(struct kunit *test)
{
	struct fixture *f = test->priv;

	add_gicc(test, 10, 0, ENABLED);
	add_gicc(test, 11, 1, ONLINE_CAPABLE);
	add_gicc(test, 12, 2, ENABLED);
	add_gicc(test, 13, 3, ONLINE_CAPABLE);
	add_gicc(test, 14, 4, ENABLED);
	build(test);

	EXPECT_UIDS(test, 3, 10, 11, 12, 13, 14);
	KUNIT_EXPECT_TRUE(test, f->inv.boot_found);
	KUNIT_EXPECT_EQ(test, f->inv.nr_no_hotplug, 0U);
	KUNIT_EXPECT_FALSE(test, acpi_gicc_hotpluggable(&f->inv, 0));
	KUNIT_EXPECT_TRUE(test, acpi_gicc_hotpluggable(&f->inv, 1));
	KUNIT_EXPECT_FALSE(test, acpi_gicc_hotpluggable(&f->inv, 2));
}

static void expect_madt_order_of_5(struct kunit *test, unsigned int enabled,
				   unsigned int boot)
{
	const struct acpi_gicc_inventory *inv =
		&((struct fixture *)test->priv)->inv;
	bool hotpluggable;
	int i, id;

	KUNIT_EXPECT_EQ(test, inv->nr, 5U);
	for (i = 0; i < 5; i++) {
		id = i == boot ? 0 : i < boot ? i + 1 : i;
		KUNIT_EXPECT_EQ_MSG(test, acpi_gicc_find_mpidr(inv, i), id,
				    "enabled %x boot %u", enabled, boot);
		KUNIT_EXPECT_EQ_MSG(test, acpi_gicc_find_uid(inv, 10 + i), id,
				    "enabled %x boot %u", enabled, boot);
		hotpluggable = id && !(enabled & 1U << i);
		KUNIT_EXPECT_EQ_MSG(test, acpi_gicc_hotpluggable(inv, id),
				    hotpluggable, "enabled %x boot %u id %d",
				    enabled, boot, id);
	}
}

/* Each choice of enabled CPUs, with each of the CPUs as the boot CPU */
static void __init gicc_test_madt_order_of_all(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int enabled, boot, i;
	u32 start = f->len;

	for (enabled = 0; enabled < 32; enabled++) {
		f->len = start;
		for (i = 0; i < 5; i++)
			add_gicc(test, 10 + i, i,
				 enabled & 1U << i ? ENABLED : ONLINE_CAPABLE);
		for (boot = 0; boot < 5; boot++) {
			build_in(test, 5, boot);
			expect_madt_order_of_5(test, enabled, boot);
		}
	}
}

static void __init gicc_test_limit(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	add_gicc(test, 0, 0, ENABLED);
	add_gicc(test, 1, 1, ONLINE_CAPABLE);
	add_gicc(test, 2, 2, ONLINE_CAPABLE);
	add_gicc(test, 3, 3, ENABLED);
	add_gicc(test, 4, 4, ONLINE_CAPABLE);
	add_gicc(test, 5, 5, ENABLED);

	build_limited(test, ROOM, 6, 0);
	EXPECT_UIDS(test, 3, 0, 1, 2, 3, 4, 5);

	/* The last hot-pluggable CPU of the MADT is left out first. */
	build_limited(test, ROOM, 5, 0);
	EXPECT_UIDS(test, 3, 0, 1, 2, 3, 5, 4);
	build_limited(test, ROOM, 4, 0);
	EXPECT_UIDS(test, 3, 0, 1, 3, 5, 2, 4);
	build_limited(test, ROOM, 3, 0);
	EXPECT_UIDS(test, 3, 0, 3, 5, 1, 2, 4);

	/* Then the last enabled one. */
	build_limited(test, ROOM, 2, 0);
	EXPECT_UIDS(test, 3, 0, 3, 5, 1, 2, 4);
	build_limited(test, ROOM, 1, 0);
	EXPECT_UIDS(test, 3, 0, 3, 5, 1, 2, 4);

	/* CPUs that are left out are found nevertheless. */
	for (i = 0; i < 6; i++) {
		KUNIT_EXPECT_TRUE(test, acpi_gicc_find_uid(&f->inv, i) >= 0);
		KUNIT_EXPECT_TRUE(test, acpi_gicc_find_mpidr(&f->inv, i) >= 0);
	}
}

static void __init gicc_test_limit_boot_cpu(struct kunit *test)
{
	u32 dropped;

	add_gicc(test, 0, 0, ENABLED);
	add_gicc(test, 1, 1, ONLINE_CAPABLE);
	add_gicc(test, 2, 2, ENABLED);
	add_gicc(test, 3, 3, ONLINE_CAPABLE);
	dropped = add_gicc(test, 4, 4, ONLINE_CAPABLE);

	build_limited(test, ROOM, 4, 3);
	EXPECT_UIDS(test, 3, 3, 0, 1, 2, 4);
	build_limited(test, ROOM, 3, 3);
	EXPECT_UIDS(test, 3, 3, 0, 2, 1, 4);
	build_limited(test, ROOM, 1, 3);
	EXPECT_UIDS(test, 3, 3, 0, 2, 1, 4);

	/* Without an entry of the boot CPU, id 0 is taken nevertheless. */
	build_limited(test, ROOM, 4, 9);
	EXPECT_UIDS(test, 3, 0, 0, 1, 2, 3, 4);

	/* A limit and no room for the rest */
	build_limited(test, 4, 3, 0);
	EXPECT_UIDS(test, 2, 0, 1, 2, 3);
	expect_report(test, ACPI_GICC_NO_ROOM, dropped);
}

static void __init gicc_test_copies(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 first, second;

	first = add_gicc(test, 0, 0, ENABLED);
	second = add_gicc(test, 7, 0x8100020304ULL, ONLINE_CAPABLE | RESERVED);
	build(test);

	EXPECT_UIDS(test, 1, 0, 7);
	KUNIT_EXPECT_EQ(test, memcmp(&f->inv.gicc[0], (void *)f->madt + first,
				     GICC_SIZE), 0);
	KUNIT_EXPECT_EQ(test, memcmp(&f->inv.gicc[1], (void *)f->madt + second,
				     GICC_SIZE), 0);
	/* Entries from nr on are not written. */
	KUNIT_EXPECT_EQ(test, f->inv.gicc[2].uid, 0x01010101U * POISON);
}

static void __init gicc_test_build_again(struct kunit *test)
{
	struct fixture *f = test->priv;
	u8 first[sizeof(f->inv)];
	int i;

	for (i = 0; i < 4; i++)
		add_gicc(test, i, i, i & 1 ? ONLINE_CAPABLE : ENABLED);
	f->policy.hotplug = false;
	build(test);
	memcpy(first, &f->inv, sizeof(first));
	acpi_gicc_build(&f->inv, f->madt, 0, &f->policy, record);
	KUNIT_EXPECT_EQ(test, memcmp(&f->inv, first, sizeof(first)), 0);
}

static void __init gicc_test_no_entries(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->len = 0;
	build(test);
	EXPECT_UIDS(test, 1, 0);
	KUNIT_EXPECT_FALSE(test, f->inv.boot_found);

	/* A table that ends with its header */
	f->madt = kunit_kzalloc(test, sizeof(f->madt->header), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->madt);
	f->madt->header.length = sizeof(f->madt->header);
	acpi_gicc_build(&f->inv, f->madt, 0, &f->policy, record);
	EXPECT_UIDS(test, 1, 0);
}

static void __init gicc_test_other_types(struct kunit *test)
{
	add_other(test, 0xff, 2, 2);
	add_gicc(test, 1, 0, ENABLED);
	add_other(test, ACPI_MADT_TYPE_LOCAL_APIC, 8, 8);
	add_other(test, ACPI_MADT_TYPE_GENERIC_TRANSLATOR, 20, 20);
	add_other(test, 0x7f, 255, 255);
	add_gicc(test, 2, 1, ENABLED);
	build(test);

	EXPECT_UIDS(test, 2, 1, 2);
}

/* --- the boot CPU -------------------------------------------------------- */

static void __init gicc_test_boot_is_id_0(struct kunit *test)
{
	add_gicc(test, 1, 0x100, ENABLED);
	add_gicc(test, 2, 0x101, ONLINE_CAPABLE);
	add_gicc(test, 3, 0x102, ENABLED);
	build_in(test, ROOM, 0x102);

	EXPECT_UIDS(test, 2, 3, 1, 2);
}

/* A crash kernel boots on a CPU that was hot-added. */
static void __init gicc_test_boot_is_hotpluggable(struct kunit *test)
{
	struct fixture *f = test->priv;

	add_gicc(test, 1, 0, ENABLED);
	add_gicc(test, 2, 1, ONLINE_CAPABLE);
	add_gicc(test, 3, 2, ONLINE_CAPABLE);
	build_in(test, ROOM, 2);

	EXPECT_UIDS(test, 2, 3, 1, 2);
	KUNIT_EXPECT_TRUE(test, f->inv.boot_found);
}

static void __init gicc_test_boot_is_disabled(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->policy.disabled = ACPI_GICC_DISABLED_IGNORE;
	add_gicc(test, 1, 0, ENABLED);
	add_gicc(test, 2, 1, DISABLED);
	add_gicc(test, 3, 2, DISABLED);
	build_in(test, ROOM, 1);

	EXPECT_UIDS(test, 2, 2, 1);
	KUNIT_EXPECT_TRUE(test, f->inv.boot_found);
}

static void __init gicc_test_boot_is_missing(struct kunit *test)
{
	static const struct acpi_madt_generic_interrupt none;
	struct fixture *f = test->priv;

	add_gicc(test, 1, 1, ENABLED);
	add_gicc(test, 2, 2, ONLINE_CAPABLE);
	build(test);

	EXPECT_UIDS(test, 2, 0, 1, 2);
	KUNIT_EXPECT_FALSE(test, f->inv.boot_found);
	KUNIT_EXPECT_EQ(test, memcmp(&f->inv.gicc[0], &none, sizeof(none)), 0);
	/* The lookups do not find the empty entry. */
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_uid(&f->inv, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_mpidr(&f->inv, 0), -ENOENT);
}

static void __init gicc_test_boot_twice(struct kunit *test)
{
	u32 second;

	add_gicc(test, 1, 0, ENABLED);
	second = add_gicc(test, 2, 0, ENABLED);
	add_gicc(test, 3, 1, ENABLED);
	build(test);

	EXPECT_UIDS(test, 2, 1, 3);
	expect_report(test, ACPI_GICC_DUP_BOOT, second);
}

static void __init gicc_test_boot_twice_enabled_wins(struct kunit *test)
{
	u32 disabled, online_capable;

	disabled = add_gicc(test, 1, 0, DISABLED);
	online_capable = add_gicc(test, 2, 0, ONLINE_CAPABLE);
	add_gicc(test, 3, 0, ENABLED);
	((struct fixture *)test->priv)->policy.disabled =
		ACPI_GICC_DISABLED_HOTPLUG;
	build(test);

	EXPECT_UIDS(test, 1, 3);
	expect_report(test, ACPI_GICC_DUP_BOOT, disabled);
	expect_report(test, ACPI_GICC_DUP_BOOT, online_capable);
}

/* --- flags and policy ---------------------------------------------------- */

static void __init gicc_test_flags(struct kunit *test)
{
	u32 both;

	add_gicc(test, 0, 0, ENABLED);
	add_gicc(test, 1, 1, DISABLED);
	add_gicc(test, 2, 2, ONLINE_CAPABLE);
	both = add_gicc(test, 3, 3, ENABLED | ONLINE_CAPABLE);
	add_gicc(test, 4, 4, ENABLED | RESERVED);
	add_gicc(test, 5, 5, ONLINE_CAPABLE | RESERVED);
	add_gicc(test, 6, 6, RESERVED);
	add_gicc(test, 7, 7, ACPI_MADT_PERFORMANCE_IRQ_MODE |
		 ACPI_MADT_VGIC_IRQ_MODE);
	build(test);

	EXPECT_UIDS(test, 3, 0, 2, 3, 4, 5);
	expect_report(test, ACPI_GICC_BOTH_FLAGS, both);
}

static void __init gicc_test_boot_with_both_flags(struct kunit *test)
{
	u32 both = add_gicc(test, 0, 0, ENABLED | ONLINE_CAPABLE);

	build(test);
	EXPECT_UIDS(test, 1, 0);
	expect_report(test, ACPI_GICC_BOTH_FLAGS, both);
}

static void __init gicc_test_disabled(struct kunit *test)
{
	static const struct {
		enum acpi_gicc_disabled policy;
		u8 major, minor;
		u64 hypervisor;
		u32 flags;		/* of another entry */
		bool hotplug;
		enum acpi_gicc_rule rule;
	} cases[] = {
		/* FADT before 6.5, a hypervisor, no online-capable */
		{ ACPI_GICC_DISABLED_AUTO, 6, 4, HYPERVISOR, ENABLED, true,
		  ACPI_GICC_BY_HYPERVISOR },
		{ ACPI_GICC_DISABLED_AUTO, 6, 0, HYPERVISOR, ENABLED, true,
		  ACPI_GICC_BY_HYPERVISOR },
		{ ACPI_GICC_DISABLED_AUTO, 5, 9, HYPERVISOR, ENABLED, true,
		  ACPI_GICC_BY_HYPERVISOR },
		/* FADT 6.5 or later, or online-capable is used */
		{ ACPI_GICC_DISABLED_AUTO, 6, 5, HYPERVISOR, ENABLED, false,
		  ACPI_GICC_BY_FADT_VERSION },
		{ ACPI_GICC_DISABLED_AUTO, 6, 6, HYPERVISOR, ENABLED, false,
		  ACPI_GICC_BY_FADT_VERSION },
		{ ACPI_GICC_DISABLED_AUTO, 7, 0, HYPERVISOR, ENABLED, false,
		  ACPI_GICC_BY_FADT_VERSION },
		{ ACPI_GICC_DISABLED_AUTO, 6, 4, HYPERVISOR, ONLINE_CAPABLE, false,
		  ACPI_GICC_BY_ONLINE_CAPABLE },
		{ ACPI_GICC_DISABLED_AUTO, 6, 4, HYPERVISOR,
		  ENABLED | ONLINE_CAPABLE, false,
		  ACPI_GICC_BY_ONLINE_CAPABLE },
		/* bare metal */
		{ ACPI_GICC_DISABLED_AUTO, 6, 4, 0, ENABLED, false,
		  ACPI_GICC_BY_BARE_METAL },
		{ ACPI_GICC_DISABLED_AUTO, 5, 1, 0, ENABLED, false,
		  ACPI_GICC_BY_BARE_METAL },
		/* arm64.disabled_gicc= overrides the rules */
		{ ACPI_GICC_DISABLED_IGNORE, 6, 4, HYPERVISOR, ENABLED, false,
		  ACPI_GICC_BY_POLICY },
		{ ACPI_GICC_DISABLED_HOTPLUG, 6, 5, 0, ENABLED, true,
		  ACPI_GICC_BY_POLICY },
		{ ACPI_GICC_DISABLED_HOTPLUG, 6, 4, 0, ONLINE_CAPABLE, true,
		  ACPI_GICC_BY_POLICY },
	};
	struct fixture *f = test->priv;
	u32 other;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		f->len = 0;
		f->policy = (struct acpi_gicc_policy) {
			.hotplug	= true,
			.disabled	= cases[i].policy,
			.fadt_major	= cases[i].major,
			.fadt_minor	= cases[i].minor,
			.hypervisor_id	= cases[i].hypervisor,
		};
		add_gicd(test, ACPI_MADT_GIC_VERSION_V3);
		add_gicc(test, 0, 0, ENABLED);
		add_gicc(test, 1, 1, DISABLED);
		other = add_gicc(test, 2, 2, cases[i].flags);
		build(test);

		KUNIT_EXPECT_EQ_MSG(test, f->inv.nr, 2U + cases[i].hotplug,
				    "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, acpi_gicc_find_uid(&f->inv, 1) >= 0,
				    cases[i].hotplug, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, f->inv.disabled_hotplug,
				    cases[i].hotplug, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, f->inv.rule, cases[i].rule,
				    "case %d", i);
		KUNIT_EXPECT_EQ(test, f->inv.nr_disabled, 1U);
		KUNIT_EXPECT_EQ(test, f->inv.nr_no_hotplug, 0U);
		if (cases[i].flags == (ENABLED | ONLINE_CAPABLE))
			expect_report(test, ACPI_GICC_BOTH_FLAGS, other);
	}
}

static void __init gicc_test_disabled_keep_order(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->policy.disabled = ACPI_GICC_DISABLED_HOTPLUG;
	add_gicc(test, 1, 0, ENABLED);
	add_gicc(test, 2, 1, DISABLED);
	add_gicc(test, 3, 2, ONLINE_CAPABLE);
	add_gicc(test, 4, 3, DISABLED);
	add_gicc(test, 5, 4, ENABLED);
	build(test);

	EXPECT_UIDS(test, 2, 1, 2, 3, 4, 5);
	KUNIT_EXPECT_EQ(test, f->inv.nr_disabled, 2U);
}

static void __init gicc_test_kernel_cannot_hotplug(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->policy.hotplug = false;
	f->policy.disabled = ACPI_GICC_DISABLED_HOTPLUG;
	add_gicc(test, 0, 0, ENABLED);
	add_gicc(test, 1, 1, ONLINE_CAPABLE);
	add_gicc(test, 2, 2, ENABLED);
	add_gicc(test, 3, 3, DISABLED);
	build(test);

	EXPECT_UIDS(test, 2, 0, 2);
	KUNIT_EXPECT_EQ(test, f->inv.nr_no_hotplug, 2U);
}

static void __init gicc_test_gic_cannot_hotplug(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->len = 0;
	add_gicd(test, ACPI_MADT_GIC_VERSION_V2);
	add_gicc(test, 0, 0, ENABLED);
	add_gicc(test, 1, 1, ONLINE_CAPABLE);
	add_gicc(test, 2, 2, DISABLED);
	build(test);

	EXPECT_UIDS(test, 1, 0);
	KUNIT_EXPECT_EQ(test, f->inv.nr_no_hotplug, 1U);

	/* A hot-pluggable boot CPU is not counted as left out. */
	build_in(test, ROOM, 1);
	EXPECT_UIDS(test, 2, 1, 0);
	KUNIT_EXPECT_EQ(test, f->inv.nr_no_hotplug, 0U);
}

static void __init gicc_test_gic_version(struct kunit *test)
{
	static const struct {
		int version;		/* of the distributor; -1: there is none */
		bool gicr, gicv3;
	} cases[] = {
		{ ACPI_MADT_GIC_VERSION_V1, false, false },
		{ ACPI_MADT_GIC_VERSION_V2, false, false },
		{ ACPI_MADT_GIC_VERSION_V2, true, false },
		{ ACPI_MADT_GIC_VERSION_V3, true, true },
		{ ACPI_MADT_GIC_VERSION_V3, false, true },
		{ ACPI_MADT_GIC_VERSION_V4, true, true },
		/* before ACPI 5.1 */
		{ ACPI_MADT_GIC_VERSION_NONE, true, true },
		{ ACPI_MADT_GIC_VERSION_NONE, false, false },
		{ -1, true, true },
		{ -1, false, false },
	};
	struct fixture *f = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		f->len = 0;
		if (cases[i].gicr)
			add_gicr(test);
		if (cases[i].version >= 0)
			add_gicd(test, cases[i].version);
		build(test);
		KUNIT_EXPECT_EQ_MSG(test, f->inv.gicv3, cases[i].gicv3,
				    "case %d", i);
	}

	/* The version would be a byte of the next entry. */
	f->len = 0;
	add_other(test, ACPI_MADT_TYPE_GENERIC_DISTRIBUTOR, 20, 20);
	add_gicc(test, 0, 0, ENABLED);
	build(test);
	KUNIT_EXPECT_FALSE(test, f->inv.gicv3);
}

/* --- malformed tables ---------------------------------------------------- */

static void __init gicc_test_bad_subtable(struct kunit *test)
{
	static const struct {
		u8 type, said, len;
	} cases[] = {
		{ ACPI_MADT_TYPE_GENERIC_INTERRUPT, 0, 80 },
		{ ACPI_MADT_TYPE_GENERIC_INTERRUPT, 1, 80 },
		{ ACPI_MADT_TYPE_GENERIC_INTERRUPT, 80, 79 },
		{ ACPI_MADT_TYPE_GENERIC_INTERRUPT, 80, 2 },
		{ ACPI_MADT_TYPE_GENERIC_INTERRUPT, 80, 1 },
		{ ACPI_MADT_TYPE_GENERIC_REDISTRIBUTOR, 16, 2 },
		{ 0xff, 255, 254 },
	};
	struct fixture *f = test->priv;
	u32 start = f->len, bad;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		f->len = start;
		add_gicc(test, 0, 0, ENABLED);
		add_gicc(test, 1, 1, ONLINE_CAPABLE);
		bad = add_other(test, cases[i].type, cases[i].said,
				cases[i].len);
		build(test);

		EXPECT_UIDS(test, 1, 0, 1);
		expect_report(test, ACPI_GICC_BAD_SUBTABLE, bad);
	}
}

static void __init gicc_test_short(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 start = f->len, bad[3];
	u8 len;

	for (len = 2; len < GICC_MIN; len++) {
		f->len = start;
		bad[0] = add_gicc_of(test, len, 0, 0, ENABLED);
		add_gicc(test, 1, 0, ENABLED);
		bad[1] = add_gicc_of(test, len, 2, 2, ENABLED);
		add_gicc(test, 3, 3, ENABLED);
		bad[2] = add_gicc_of(test, len, 4, 4, ENABLED);
		build(test);

		EXPECT_UIDS(test, 2, 1, 3);
		expect_report(test, ACPI_GICC_SHORT, bad[0]);
		expect_report(test, ACPI_GICC_SHORT, bad[1]);
		expect_report(test, ACPI_GICC_SHORT, bad[2]);
	}
}

/* ACPI 5.1 and later only append fields to the GICC. */
static void __init gicc_test_lengths(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 start = f->len, known;
	u8 *gicc;
	int i, j;

	for (i = GICC_MIN; i < 256; i += 4) {
		f->len = start;
		add_gicc(test, 0, 0, ENABLED);
		add_gicc_of(test, i, 1, 1, ENABLED);
		build_in(test, 2, 0);

		EXPECT_UIDS(test, 2, 0, 1);
		known = min_t(u32, i, GICC_SIZE);
		gicc = (void *)&f->inv.gicc[1];
		KUNIT_EXPECT_EQ_MSG(test, gicc[known - 1],
				    i == GICC_MIN ? 0 : POISON,
				    "length %d", i);
		for (j = known; j < GICC_SIZE; j++)
			KUNIT_EXPECT_EQ_MSG(test, gicc[j], 0,
					    "length %d, byte %d", i, j);
	}
}

static void __init gicc_test_bad_mpidr(struct kunit *test)
{
	static const u64 bad[] = {
		1ULL << 24, 1ULL << 31, 1ULL << 40, 1ULL << 63, ~0ULL,
	};
	struct fixture *f = test->priv;
	u32 start = f->len, enabled, hotpluggable;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		f->len = start;
		add_gicc(test, 0, 0, ENABLED);
		hotpluggable = add_gicc(test, 1, bad[i], ONLINE_CAPABLE);
		enabled = add_gicc(test, 2, bad[i] | 1, ENABLED);
		add_gicc(test, 3, 0xff00ffffffULL, ENABLED);
		build(test);

		EXPECT_UIDS(test, 2, 0, 3);
		expect_report(test, ACPI_GICC_BAD_MPIDR, enabled);
		expect_report(test, ACPI_GICC_BAD_MPIDR, hotpluggable);
	}
}

static void __init gicc_test_duplicate_mpidr(struct kunit *test)
{
	u32 dup[3];

	add_gicc(test, 0, 0, ENABLED);
	dup[1] = add_gicc(test, 1, 1, ONLINE_CAPABLE);
	add_gicc(test, 2, 1, ENABLED);
	dup[0] = add_gicc(test, 3, 1, ENABLED);
	add_gicc(test, 4, 4, ONLINE_CAPABLE);
	dup[2] = add_gicc(test, 5, 4, ONLINE_CAPABLE);
	build(test);

	EXPECT_UIDS(test, 2, 0, 2, 4);
	expect_report(test, ACPI_GICC_DUP_MPIDR, dup[0]);
	expect_report(test, ACPI_GICC_DUP_MPIDR, dup[1]);
	expect_report(test, ACPI_GICC_DUP_MPIDR, dup[2]);
}

/* A duplicate UID costs a hot-pluggable CPU, but no enabled one. */
static void __init gicc_test_duplicate_uid(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 dup[4];

	add_gicc(test, 7, 0, ENABLED);
	dup[0] = add_gicc(test, 7, 1, ENABLED);
	add_gicc(test, 8, 2, ENABLED);
	dup[1] = add_gicc(test, 8, 3, ONLINE_CAPABLE);
	add_gicc(test, 9, 4, ONLINE_CAPABLE);
	dup[2] = add_gicc(test, 9, 5, ONLINE_CAPABLE);
	f->policy.disabled = ACPI_GICC_DISABLED_HOTPLUG;
	dup[3] = add_gicc(test, 9, 6, DISABLED);
	build(test);

	EXPECT_UIDS(test, 3, 7, 7, 8, 9);
	expect_report(test, ACPI_GICC_DUP_UID, dup[0]);
	expect_report(test, ACPI_GICC_DUP_UID, dup[1]);
	expect_report(test, ACPI_GICC_DUP_UID, dup[2]);
	expect_report(test, ACPI_GICC_DUP_UID, dup[3]);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_uid(&f->inv, 7), 0);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_mpidr(&f->inv, 1), 1);
}

static void __init gicc_test_no_room(struct kunit *test)
{
	u32 first, last, hotpluggable;

	first = add_gicc(test, 0, 0, ENABLED);
	hotpluggable = add_gicc(test, 1, 1, ONLINE_CAPABLE);
	add_gicc(test, 2, 2, DISABLED);
	last = add_gicc(test, 3, 3, ENABLED);
	build_in(test, 1, 0);

	EXPECT_UIDS(test, 1, 0);
	expect_report(test, ACPI_GICC_NO_ROOM, last);
	expect_report(test, ACPI_GICC_NO_ROOM, hotpluggable);

	/* The last entry is used for an enabled CPU. */
	build_in(test, 2, 0);
	EXPECT_UIDS(test, 2, 0, 3);
	expect_report(test, ACPI_GICC_NO_ROOM, hotpluggable);

	/* The boot CPU is never left out, wherever its entry is. */
	build_in(test, 1, 3);
	EXPECT_UIDS(test, 1, 3);
	expect_report(test, ACPI_GICC_NO_ROOM, first);
	expect_report(test, ACPI_GICC_NO_ROOM, hotpluggable);
}

/* --- lookup -------------------------------------------------------------- */

static void __init gicc_test_find(struct kunit *test)
{
	/* threads in Aff0, cores in Aff1, clusters in Aff2 and Aff3 */
	static const u64 mpidr[] = {
		0x000000, 0x000001, 0x000100, 0x000101,
		0x010000, 0x010101, 0x100000000ULL, 0xff00ffffffULL,
	};
	struct fixture *f = test->priv;
	int i, id;

	for (i = 0; i < ARRAY_SIZE(mpidr); i++)
		add_gicc(test, 0xfffffff8U + i, mpidr[i],
			 i & 1 ? ONLINE_CAPABLE : ENABLED);
	build(test);

	for (i = 0; i < ARRAY_SIZE(mpidr); i++) {
		id = acpi_gicc_find_mpidr(&f->inv, mpidr[i]);
		KUNIT_EXPECT_EQ_MSG(test, id, i, "entry %d", i);
		id = acpi_gicc_find_uid(&f->inv, 0xfffffff8U + i);
		KUNIT_EXPECT_EQ_MSG(test, id, i, "entry %d", i);
	}
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_uid(&f->inv, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_uid(&f->inv, 0xfffffff7U),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_mpidr(&f->inv, 2), -ENOENT);
	/* All bits are compared. */
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_uid(&f->inv, 0xfff8), -ENOENT);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_mpidr(&f->inv, 0xffffff), -ENOENT);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_mpidr(&f->inv, 0x200000000ULL),
			-ENOENT);
}

static void __init gicc_test_find_what_is_left_out(struct kunit *test)
{
	struct fixture *f = test->priv;

	f->policy.disabled = ACPI_GICC_DISABLED_IGNORE;
	add_gicc(test, 1, 1, ENABLED);
	add_gicc(test, 2, 2, DISABLED);
	build_in(test, ROOM, 1);

	KUNIT_EXPECT_EQ(test, acpi_gicc_find_uid(&f->inv, 1), 0);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_mpidr(&f->inv, 1), 0);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_uid(&f->inv, 2), -ENOENT);
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_mpidr(&f->inv, 2), -ENOENT);
	/* Entries from nr on are not found. */
	KUNIT_EXPECT_EQ(test, acpi_gicc_find_uid(&f->inv, 0x01010101U * POISON),
			-ENOENT);
}

/* --- _MAT ---------------------------------------------------------------- */

/* acpi_gicc_check_mat() of the first @len bytes of @mat */
static int check_mat(struct kunit *test, const void *mat, size_t len,
		     const struct acpi_madt_generic_interrupt *gicc)
{
	void *buf = kunit_kmalloc(test, len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	memcpy(buf, mat, len);
	return acpi_gicc_check_mat(buf, len, gicc);
}

static void __init gicc_test_mat(struct kunit *test)
{
	const struct acpi_madt_generic_interrupt gicc = {
		.header.type	= ACPI_MADT_TYPE_GENERIC_INTERRUPT,
		.header.length	= GICC_SIZE,
		.uid		= 5,
		.flags		= DISABLED,
		.arm_mpidr	= 0x10001,
	};
	struct acpi_madt_generic_interrupt mat[2] = { gicc };

	KUNIT_EXPECT_EQ(test, check_mat(test, mat, GICC_SIZE, &gicc), 0);
	/* Old firmware sets the enabled flag and has shorter GICCs. */
	mat[0].flags = ENABLED;
	KUNIT_EXPECT_EQ(test, check_mat(test, mat, GICC_SIZE, &gicc), 0);
	mat[0].header.length = GICC_MIN;
	KUNIT_EXPECT_EQ(test, check_mat(test, mat, GICC_MIN, &gicc), 0);
	/* Bytes after the GICC do not matter. */
	KUNIT_EXPECT_EQ(test, check_mat(test, mat, sizeof(mat), &gicc), 0);

	mat[0].uid = 6;
	KUNIT_EXPECT_EQ(test, check_mat(test, mat, GICC_SIZE, &gicc), -EXDEV);
	mat[0].uid = 5;
	mat[0].arm_mpidr = 0x10000;
	KUNIT_EXPECT_EQ(test, check_mat(test, mat, GICC_SIZE, &gicc), -EXDEV);
}

static void __init gicc_test_mat_is_no_gicc(struct kunit *test)
{
	const struct acpi_madt_generic_interrupt gicc = {
		.header.type	= ACPI_MADT_TYPE_GENERIC_INTERRUPT,
		.header.length	= GICC_SIZE,
	};
	struct acpi_madt_generic_interrupt mat = gicc;
	size_t len;
	int i;

	for (len = 0; len < GICC_SIZE; len++)
		KUNIT_EXPECT_EQ_MSG(test, check_mat(test, &mat, len, &gicc),
				    -EINVAL, "%zu bytes", len);
	for (i = 0; i < GICC_MIN; i++) {
		mat.header.length = i;
		KUNIT_EXPECT_EQ_MSG(test,
				    check_mat(test, &mat, GICC_SIZE, &gicc),
				    -EINVAL, "says %d bytes", i);
	}
	mat.header.length = GICC_SIZE + 1;
	KUNIT_EXPECT_EQ(test, check_mat(test, &mat, GICC_SIZE, &gicc), -EINVAL);

	mat = gicc;
	mat.header.type = ACPI_MADT_TYPE_LOCAL_APIC;
	KUNIT_EXPECT_EQ(test, check_mat(test, &mat, GICC_SIZE, &gicc), -EINVAL);
}

/* The default of each case: a GICv3, a hypervisor, FADT 6.4 */
static int gicc_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	test->priv = f;
	f->policy.hotplug = true;
	f->policy.disabled = ACPI_GICC_DISABLED_AUTO;
	f->policy.fadt_major = 6;
	f->policy.fadt_minor = 4;
	f->policy.hypervisor_id = HYPERVISOR;
	add_gicd(test, ACPI_MADT_GIC_VERSION_V3);
	nr_reports = 0;
	nr_expected = 0;
	return 0;
}

static struct kunit_case gicc_test_cases[] __refdata = {
	KUNIT_CASE(gicc_test_madt_order),
	KUNIT_CASE(gicc_test_madt_order_of_all),
	KUNIT_CASE(gicc_test_limit),
	KUNIT_CASE(gicc_test_limit_boot_cpu),
	KUNIT_CASE(gicc_test_copies),
	KUNIT_CASE(gicc_test_build_again),
	KUNIT_CASE(gicc_test_no_entries),
	KUNIT_CASE(gicc_test_other_types),
	KUNIT_CASE(gicc_test_boot_is_id_0),
	KUNIT_CASE(gicc_test_boot_is_hotpluggable),
	KUNIT_CASE(gicc_test_boot_is_disabled),
	KUNIT_CASE(gicc_test_boot_is_missing),
	KUNIT_CASE(gicc_test_boot_twice),
	KUNIT_CASE(gicc_test_boot_twice_enabled_wins),
	KUNIT_CASE(gicc_test_flags),
	KUNIT_CASE(gicc_test_boot_with_both_flags),
	KUNIT_CASE(gicc_test_disabled),
	KUNIT_CASE(gicc_test_disabled_keep_order),
	KUNIT_CASE(gicc_test_kernel_cannot_hotplug),
	KUNIT_CASE(gicc_test_gic_cannot_hotplug),
	KUNIT_CASE(gicc_test_gic_version),
	KUNIT_CASE(gicc_test_bad_subtable),
	KUNIT_CASE(gicc_test_short),
	KUNIT_CASE(gicc_test_lengths),
	KUNIT_CASE(gicc_test_bad_mpidr),
	KUNIT_CASE(gicc_test_duplicate_mpidr),
	KUNIT_CASE(gicc_test_duplicate_uid),
	KUNIT_CASE(gicc_test_no_room),
	KUNIT_CASE(gicc_test_find),
	KUNIT_CASE(gicc_test_find_what_is_left_out),
	KUNIT_CASE(gicc_test_mat),
	KUNIT_CASE(gicc_test_mat_is_no_gicc),
	{}
};

static struct kunit_suite gicc_test_suite = {
	.name		= "acpi_gicc",
	.init		= gicc_test_init,
	.exit		= expect_no_more_reports,
	.test_cases	= gicc_test_cases,
};

/* acpi_gicc_build() is __init. */
kunit_test_init_section_suites(&gicc_test_suite);
