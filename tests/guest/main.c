// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All our programs in one binary, which has the C library once: the name that
 * it is started by says which one it is. mkinitramfs gives each its own main().
 */
#include <err.h>
#include <string.h>

#define PROGRAM(name)	int name##_main(int argc, char **argv);
#include "programs.h"
#undef PROGRAM

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} programs[] = {
#define PROGRAM(name)	{ #name, name##_main },
#include "programs.h"
};

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	unsigned int i;

	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!strcmp(programs[i].name, name))
			return programs[i].main(argc, argv);
	errx(127, "no program %s", name);
}
