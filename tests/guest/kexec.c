// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kexec KERNEL INITRD COMMAND-LINE      load the kernel that the next `kexec -e` starts
 * kexec -p KERNEL INITRD COMMAND-LINE   load the kernel that a panic starts
 * kexec -e                              start it, without a word to anybody
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

int main(int argc, char **argv)
{
	unsigned long flags = 0;

	if (argc == 2 && !strcmp(argv[1], "-e")) {
		syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
		err(1, "reboot");
	}
	if (argc == 5 && !strcmp(argv[1], "-p")) {
		flags = KEXEC_FILE_ON_CRASH;
		argv++;
		argc--;
	}
	if (argc != 4)
		errx(1, "usage: kexec [-p] KERNEL INITRD COMMAND-LINE, or kexec -e");
	if (syscall(SYS_kexec_file_load, open_file(argv[1]), open_file(argv[2]), strlen(argv[3]) + 1, argv[3], flags))
		err(1, "kexec_file_load");
	return 0;
}
