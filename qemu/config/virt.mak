# What the emulators in out/ have: the virt board, and the PCI devices that
# people give its guests. All else that QEMU has for Arm costs minutes to build
# and nothing here uses it.

CONFIG_ARM_VIRT=y
CONFIG_NVDIMM=y

# Our series has virt select it; without it here, the unpatched build would know
# one symbol less and share no object with the patched one.
CONFIG_ACPI_CPU_HOTPLUG=y

CONFIG_PCIE_PORT=y
CONFIG_PXB=y
# What PXB calls: it does not link without.
CONFIG_CXL=y
CONFIG_CXL_MEM_DEVICE=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_BALLOON=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_GPU=y
CONFIG_VIRTIO_INPUT=y
CONFIG_VIRTIO_IOMMU=y
CONFIG_VIRTIO_MEM=y
CONFIG_VIRTIO_NET=y
CONFIG_VIRTIO_RNG=y
CONFIG_VIRTIO_SCSI=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_E1000E_PCI_EXPRESS=y
CONFIG_NVME_PCI=y
CONFIG_USB_XHCI_PCI=y
