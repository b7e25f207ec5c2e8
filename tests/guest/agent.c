// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's end of the test channel.
 *
 * The host writes   "<id> <timeout in ms> <length>\n" and that many bytes of shell script,
 * the agent answers "<id> <status> <length>\n"        and that many bytes of output,
 * where status is the script's exit status, 128 + the signal that ended it, or -1 when the
 * timeout ran out (the script's process group is killed).  stdout and stderr come together.
 * At start the agent says "hello <boot id>\n", so that the host sees a reboot.
 *
 * A script may leave processes behind; the answer does not wait for them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_NAME	"org.cpuhp.agent"
#define PORTS		"/sys/class/virtio-ports"
#define TIMED_OUT	-1

static int read_line_of(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "re");
	char *got;

	if (!f)
		return -1;
	got = fgets(line, size, f);
	fclose(f);
	if (!got)
		return -1;
	line[strcspn(line, "\n")] = 0;
	return 0;
}

static int find_port(char *dev, size_t size)
{
	char path[512], name[64];
	struct dirent *e;
	DIR *d = opendir(PORTS);
	int found = 0;

	while (d && !found && (e = readdir(d))) {
		snprintf(path, sizeof(path), PORTS "/%s/name", e->d_name);
		if (read_line_of(path, name, sizeof(name)) || strcmp(name, PORT_NAME))
			continue;
		snprintf(dev, size, "/dev/%s", e->d_name);
		found = 1;
	}
	if (d)
		closedir(d);
	return found;
}

static void write_all(int fd, const char *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= n) {
		n = write(fd, buf, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			err(1, "write to the host");
	}
}

static void read_all(int fd, char *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= n) {
		n = read(fd, buf, len);
		if (n == 0)		/* the host is not there (any more) */
			usleep(100000);
		else if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			err(1, "read from the host");
	}
}

static void read_header(int fd, char *line, size_t size)
{
	size_t i;

	for (i = 0; i < size - 1; i++) {
		read_all(fd, line + i, 1);
		if (line[i] == '\n')
			break;
	}
	line[i] = 0;
}

static int run(const char *script, int out, int timeout_ms)
{
	struct pollfd p = { .events = POLLIN };
	int status, ready;
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		int null = open("/dev/null", O_RDONLY);

		setsid();
		dup2(null, 0);
		dup2(out, 1);
		dup2(out, 2);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	p.fd = syscall(SYS_pidfd_open, pid, 0);
	if (p.fd < 0)
		err(1, "pidfd_open");
	ready = poll(&p, 1, timeout_ms);
	if (!ready)
		kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(p.fd);
	if (!ready)
		return TIMED_OUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void serve(int port)
{
	int timeout_ms, out, status;
	char header[64], *script, *text;
	unsigned long id;
	size_t len;
	off_t size;

	for (;;) {
		read_header(port, header, sizeof(header));
		if (sscanf(header, "%lu %d %zu", &id, &timeout_ms, &len) != 3)
			errx(1, "not a request: '%s'", header);
		script = calloc(1, len + 1);
		out = memfd_create("output", MFD_CLOEXEC);
		if (!script || out < 0)
			err(1, "no memory for a request");
		read_all(port, script, len);
		status = run(script, out, timeout_ms);
		size = lseek(out, 0, SEEK_END);
		text = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, out, 0) : NULL;
		if (text == MAP_FAILED)
			err(1, "mmap of the output");
		snprintf(header, sizeof(header), "%lu %d %zu\n", id, status, (size_t)size);
		write_all(port, header, strlen(header));
		write_all(port, text, size);
		if (size)
			munmap(text, size);
		close(out);
		free(script);
	}
}

int main(int argc, char **argv)
{
	char dev[300], boot_id[40], hello[64];
	int port, tries;

	(void)argc;
	(void)argv;
	for (tries = 0; !find_port(dev, sizeof(dev)); tries++) {
		if (tries == 50)
			return 0;	/* an ordinary VM: nobody to talk to */
		usleep(100000);
	}
	port = open(dev, O_RDWR | O_CLOEXEC);
	if (port < 0)
		err(1, "%s", dev);
	if (read_line_of("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id)))
		err(1, "boot_id");
	snprintf(hello, sizeof(hello), "hello %s\n", boot_id);
	write_all(port, hello, strlen(hello));
	serve(port);
	return 0;
}
