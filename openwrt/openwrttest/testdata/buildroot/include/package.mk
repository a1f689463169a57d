shvar = V_$(subst .,_,$(subst -,_,$(subst /,_,$(1))))
shexport = export $(call shvar,$(1))=$$(call $(1))

# As OpenWrt's: a package's parts are called late, and scripts reach the shell
# by the environment.
define BuildPackage
  $(eval $(Package/$(1)))
  $(foreach part,postinst prerm conffiles,$(eval $(call shexport,Package/$(1)/$(part))))

  install:
	$(call Package/$(1)/install,$(DESTDIR))
	printenv $(call shvar,Package/$(1)/postinst) >$(DESTDIR)/postinst
	printenv $(call shvar,Package/$(1)/prerm) >$(DESTDIR)/prerm
	printenv $(call shvar,Package/$(1)/conffiles) >$(DESTDIR)/conffiles

  show:
	@echo "version $(PKG_VERSION)-r$(PKG_RELEASE)"
	@echo "source $(PKG_SOURCE_URL)$(PKG_SOURCE)"
	@echo "build $(GO_PKG_BUILD_PKG)"
	@echo "tags $(GO_PKG_TAGS)"
	@echo "link $(GO_PKG_LDFLAGS_X)"
	@echo "flags $(PKG_BUILD_FLAGS)"
	@echo "menu $(SECTION), $(CATEGORY), $(SUBMENU)"
	@echo "depends $(DEPENDS)"
	@echo "user $(USERID)"
	@echo "licence $(PKG_LICENSE)"
endef
