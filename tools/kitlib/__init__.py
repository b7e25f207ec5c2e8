"""What stands behind the Makefile: sources, trees, builds, lint."""
