/* SPDX-License-Identifier: GPL-2.0-or-later */
PROGRAM(agent)
PROGRAM(bpfcount)
PROGRAM(fifo)
PROGRAM(fragment)
PROGRAM(init)
PROGRAM(kexec)
PROGRAM(oncpu)
PROGRAM(perfcount)
