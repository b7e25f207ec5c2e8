// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What acpi_gicc_build() makes of the MADT in a file, as text.
 *
 *	inventory FADT HYPERVISOR DISABLED BOOT-MPIDR FILE [LIMIT]
 *	inventory FADT HYPERVISOR DISABLED BOOT-MPIDR FILE MUTATIONS SEED
 *
 * such as `inventory 6.3 QEMU auto 0x0 apic.bin`; "-" is no hypervisor, LIMIT
 * is nr_cpus=. With MUTATIONS, the table is damaged so many times instead, and
 * what must hold for any table is checked.
 */
#include "gicc_check.h"

#define ROOM 512
#define FEW 3		/* room for the mutations: less than there are CPUs */

static bool quiet;
static unsigned int said;

static void die(const char *what)
{
	fprintf(stderr, "inventory: %s\n", what);
	exit(2);
}

static void report(enum acpi_gicc_problem problem,
		   const struct acpi_madt_generic_interrupt *gicc, u32 offset)
{
	static const char *const names[] = {
		[ACPI_GICC_BAD_SUBTABLE] = "bad subtable",
		[ACPI_GICC_SHORT] = "short",
		[ACPI_GICC_BAD_MPIDR] = "bad MPIDR",
		[ACPI_GICC_DUP_BOOT] = "duplicate of the boot CPU",
		[ACPI_GICC_DUP_MPIDR] = "duplicate MPIDR",
		[ACPI_GICC_DUP_UID] = "duplicate UID",
		[ACPI_GICC_NO_ROOM] = "no room",
		[ACPI_GICC_BOTH_FLAGS] = "both flags",
	};

	check_report(problem, gicc, offset);
	said++;
	if (quiet)
		return;
	printf("at %u: %s", offset, names[problem]);
	if (gicc)
		printf(", uid %u mpidr 0x%llx", gicc->uid,
		       (unsigned long long)gicc->arm_mpidr);
	puts("");
}

static u8 *read_file(const char *name, size_t *size)
{
	static u8 buffer[1 << 20];
	FILE *file = fopen(name, "rb");

	if (!file)
		die(strerror(errno));
	*size = fread(buffer, 1, sizeof(buffer), file);
	fclose(file);
	if (*size < sizeof(struct acpi_table_header))
		die("no table");
	return buffer;
}

static void print(const struct acpi_gicc_inventory *inv)
{
	unsigned int id;

	printf("%u CPUs, %u enabled, %u without hotplug, %s, GICv%s\n",
	       inv->nr, inv->nr_enabled, inv->nr_no_hotplug,
	       inv->boot_found ? "boot CPU found" : "no boot CPU",
	       inv->gicv3 ? "3" : "2");
	if (!inv->boot_found)
		puts("0: not in the table");
	for (id = inv->boot_found ? 0 : 1; id < inv->nr; id++)
		printf("%u: uid %u mpidr 0x%llx %s%s\n", id, inv->gicc[id].uid,
		       (unsigned long long)inv->gicc[id].arm_mpidr,
		       acpi_gicc_hotpluggable(inv, id) ?
		       "hot-pluggable" : "enabled",
		       id < inv->limit ? "" : ", left out");
}

/* Damage: bytes, lengths of entries, the end cut off */
static void mutate(u8 *madt, u32 *size)
{
	static const u8 popular[] = { 0, 1, 2, 8, 9, 11, 75, 76, 80, 82, 255 };
	u32 from = sizeof(struct acpi_table_header), span, nr = 1 + rand() % 6;
	u32 at = sizeof(struct acpi_table_madt);	/* of an entry */

	if (rand() % 4 == 0)
		*size = from + rand() % (*size - from + 1);
	span = *size - from;
	while (nr-- && span) {
		if (rand() % 2)
			madt[from + rand() % span] = rand();
		else
			madt[from + rand() % span] =
				popular[rand() % sizeof(popular)];
		if (at + 1 < *size && rand() % 4 == 0)
			madt[at + 1] = popular[rand() % sizeof(popular)];
		if (at + 1 < *size && madt[at + 1])
			at += madt[at + 1];
	}
}

static void build(struct acpi_gicc_inventory *inv, const u8 *madt, u32 size,
		  u64 boot, const struct acpi_gicc_policy *policy)
{
	struct acpi_table_madt *table = copy(madt, size);

	table->header.length = size;
	build_checked(inv, table, boot, policy, report);
	free(table);
}

/* What may be a GICC, or its beginning, as the _MAT of another CPU */
static void check_as_mat(const u8 *madt, u32 size,
			 const struct acpi_madt_generic_interrupt *gicc)
{
	u32 at = sizeof(struct acpi_table_madt);

	while (at + 1 < size && madt[at] != ACPI_MADT_TYPE_GENERIC_INTERRUPT &&
	       madt[at + 1])
		at += madt[at + 1];
	if (at > size)
		at = size;
	check_mat(madt + at, size - at, gicc);
}

static void run_mutations(const u8 *madt, u32 size, u64 boot,
			  struct acpi_gicc_policy *policy, unsigned int nr)
{
	quiet = true;
	while (nr--) {
		struct acpi_gicc_inventory inv = { .max = nr % 2 ? ROOM : FEW };
		u32 length = size;
		u8 *damaged = copy(madt, size);

		inv.limit = nr % 3 ? inv.max : 1 + nr % inv.max % 6;
		mutate(damaged, &length);
		policy->disabled = rand() % 3;
		build(&inv, damaged, length, boot, policy);
		check_as_mat(damaged, length, inv.gicc);
		free_inventory(&inv);
		free(damaged);
	}
	printf("%u problems reported\n", said);
}

int main(int argc, char **argv)
{
	static const char *const disabled[] = {
		[ACPI_GICC_DISABLED_AUTO] = "auto",
		[ACPI_GICC_DISABLED_IGNORE] = "ignore",
		[ACPI_GICC_DISABLED_HOTPLUG] = "hotplug",
	};
	struct acpi_gicc_policy policy = { .hotplug = true };
	struct acpi_gicc_inventory inv = { .max = ROOM, .limit = ROOM };
	size_t size;
	u64 boot;
	u8 *madt;

	if (argc < 6 || argc > 8)
		die("FADT HYPERVISOR DISABLED BOOT-MPIDR FILE [LIMIT | MUTATIONS SEED]");
	if (sscanf(argv[1], "%hhu.%hhu", &policy.fadt_major,
		   &policy.fadt_minor) != 2)
		die("no FADT version");
	if (strcmp(argv[2], "-"))
		memcpy(&policy.hypervisor_id, argv[2],
		       min_t(size_t, strlen(argv[2]), 8));
	while (strcmp(argv[3], disabled[policy.disabled]))
		if (++policy.disabled == ARRAY_SIZE(disabled))
			die("no policy for disabled entries");
	boot = strtoull(argv[4], NULL, 0);
	madt = read_file(argv[5], &size);

	if (argc == 8) {
		srand(atoi(argv[7]));
		run_mutations(madt, size, boot, &policy, atoi(argv[6]));
		return 0;
	}
	if (argc == 7)
		inv.limit = atoi(argv[6]);
	if (((struct acpi_table_header *)madt)->length != size)
		die("the table's length is not the file's");
	build(&inv, madt, size, boot, &policy);
	print(&inv);
	free_inventory(&inv);
	return 0;
}
