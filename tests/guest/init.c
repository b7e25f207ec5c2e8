// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's /init: mounts what everybody expects, then hands over to busybox
 * init (etc/inittab), which keeps a shell on the console and the test agent.
 * A shell script would start a process for each step, at each of the hundreds
 * of boots that the tests need.
 */
#include <err.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *type, *where;
} mounts[] = {
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
	{ "devtmpfs", "/dev" },
	{ "devpts", "/dev/pts" },
	{ "tmpfs", "/tmp" },
	{ "debugfs", "/sys/kernel/debug" },
	{ "cgroup2", "/sys/fs/cgroup" },
};

static const char * const directories[] = {
	"/proc", "/sys", "/dev", "/tmp", "/run", "/root", "/usr", "/usr/bin", "/sbin",
};

static void run_busybox(char *const argv[])
{
	pid_t pid = fork();

	if (!pid) {
		execv("/bin/busybox", argv);
		err(127, "/bin/busybox");
	}
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	char *install[] = { "busybox", "--install", "-s", "/bin", NULL };
	char *env[] = { "PATH=/bin", "HOME=/", "TERM=linux", NULL };
	char *init[] = { "init", NULL };
	unsigned int i;

	(void)argc;
	(void)argv;
	for (i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		mkdir(directories[i], 0755);

	/* A kernel need not have all of them; what a test misses it will say */
	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (!strcmp(mounts[i].where, "/dev/pts"))
			mkdir(mounts[i].where, 0755);
		mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL);
	}
	/* It finds its own path through /proc */
	run_busybox(install);

	sethostname("guest", strlen("guest"));

	execve("/bin/busybox", init, env);
	err(1, "/bin/busybox");
}
