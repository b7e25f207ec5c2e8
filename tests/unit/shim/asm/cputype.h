/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arm DDI 0487, MPIDR_EL1: Aff3 in bits 39:32, Aff2 to Aff0 in 23:0 */
#define MPIDR_HWID_BITMASK 0xff00ffffffULL
