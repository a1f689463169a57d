# A stand-in for OpenWrt's build system: what a package's Makefile includes, as
# far as Hiên's uses it.
INCLUDE_DIR := $(TOPDIR)/include
INSTALL_DIR := install -d -m0755
INSTALL_BIN := install -m0755
INSTALL_DATA := install -m0644
INSTALL_CONF := install -m0600
