"""What the VM tests and the VM-driving programs in tools/ share."""
