/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of KUnit as our suites use. A suite becomes a program that runs the
 * cases whose names are its arguments, or all of them, and speaks KTAP.
 */
#ifndef _KUNIT_TEST_H
#define _KUNIT_TEST_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/init.h>
#include <linux/acpi.h>

#define GFP_KERNEL 0

struct kunit {
	void *priv;
	const char *name;
	bool failed;
	jmp_buf abort;
	void *allocated[4096];
	unsigned int nr_allocated;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char name[256];
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(function) { .run_case = function, .name = #function }

/* Memory of exactly that size, for ASan to watch, until the case ends */
static inline void *kunit_kmalloc(struct kunit *test, size_t size, int flags)
{
	if (test->nr_allocated == ARRAY_SIZE(test->allocated))
		return NULL;
	return test->allocated[test->nr_allocated++] = malloc(size);
}

static inline void *kunit_kmalloc_array(struct kunit *test, size_t n,
					size_t size, int flags)
{
	return kunit_kmalloc(test, n * size, flags);
}

static inline void *kunit_kzalloc(struct kunit *test, size_t size, int flags)
{
	return memset(kunit_kmalloc(test, size, flags), 0, size);
}

#define __KUNIT_FAILED(test, condition, ...)				\
	do {								\
		printf("    # %s: EXPECTATION FAILED at %s:%d\n"	\
		       "    # %s\n", (test)->name, __FILE__, __LINE__,	\
		       condition);					\
		__VA_ARGS__;						\
		(test)->failed = true;					\
	} while (0)

#define __KUNIT_CHECK_EQ(test, left, right, fail)			\
	do {								\
		const typeof(left) __left = (left);			\
		const typeof(right) __right = (right);			\
									\
		if (__left == __right)					\
			break;						\
		__KUNIT_FAILED(test, #left " == " #right,		\
			printf("    # %#llx, %#llx\n",			\
			       (unsigned long long)__left,		\
			       (unsigned long long)__right));		\
		fail;							\
	} while (0)

#define __KUNIT_SAY(...) printf("    # "  __VA_ARGS__), puts("")
#define __KUNIT_ABORT(test) longjmp((test)->abort, 1)

#define KUNIT_EXPECT_EQ(test, left, right)				\
	__KUNIT_CHECK_EQ(test, left, right, (void)0)
#define KUNIT_EXPECT_EQ_MSG(test, left, right, ...)			\
	__KUNIT_CHECK_EQ(test, left, right, __KUNIT_SAY(__VA_ARGS__))
#define KUNIT_ASSERT_EQ(test, left, right)				\
	__KUNIT_CHECK_EQ(test, left, right, __KUNIT_ABORT(test))
#define KUNIT_EXPECT_PTR_EQ(test, left, right)				\
	__KUNIT_CHECK_EQ(test, (size_t)(left), (size_t)(right), (void)0)
#define KUNIT_EXPECT_TRUE(test, condition)				\
	__KUNIT_CHECK_EQ(test, !!(condition), true, (void)0)
#define KUNIT_EXPECT_FALSE(test, condition)				\
	__KUNIT_CHECK_EQ(test, !!(condition), false, (void)0)
#define KUNIT_ASSERT_TRUE(test, condition)				\
	__KUNIT_CHECK_EQ(test, !!(condition), true, __KUNIT_ABORT(test))
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pointer)			\
	__KUNIT_CHECK_EQ(test, !(pointer), false, __KUNIT_ABORT(test))

static inline bool kunit_run_case(struct kunit_suite *suite,
				  struct kunit_case *one)
{
	static struct kunit test;

	memset(&test, 0, sizeof(test));
	test.name = one->name;
	if (!setjmp(test.abort)) {
		if (suite->init && suite->init(&test))
			test.failed = true;
		else
			one->run_case(&test);
	}
	if (suite->exit && !setjmp(test.abort))
		suite->exit(&test);
	while (test.nr_allocated)
		free(test.allocated[--test.nr_allocated]);
	return !test.failed;
}

static inline int kunit_main(struct kunit_suite *suite, int argc, char **argv)
{
	struct kunit_case *one;
	int nr = 0, run = 0, failed = 0, i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (one = suite->test_cases; one->run_case; one++)
		nr++;
	printf("KTAP version 1\n1..1\n    KTAP version 1\n"
	       "    # Subtest: %s\n    1..%d\n", suite->name,
	       argc > 1 ? argc - 1 : nr);
	for (one = suite->test_cases; one->run_case; one++) {
		for (i = 1; i < argc && strcmp(argv[i], one->name); i++)
			;
		if (argc > 1 && i == argc)
			continue;
		if (kunit_run_case(suite, one)) {
			printf("    ok %d %s\n", ++run, one->name);
		} else {
			printf("    not ok %d %s\n", ++run, one->name);
			failed++;
		}
	}
	printf("%s 1 %s\n", failed || !run ? "not ok" : "ok", suite->name);
	return failed || !run;
}

#define kunit_test_init_section_suites(suite)				\
	int main(int argc, char **argv)					\
	{								\
		return kunit_main(suite, argc, argv);			\
	}

#endif
