GO_ARCH_DEPENDS := @(aarch64||arm||i386||mips||mipsel||x86_64)

define GoPackage/Package/Install/Bin
	$(INSTALL_DIR) $(1)/usr/bin
	echo program >$(1)/usr/bin/hien
	chmod 755 $(1)/usr/bin/hien
endef

define GoBinPackage
endef
