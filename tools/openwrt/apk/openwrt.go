package apk

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// addLists adds what OpenWrt's scripts look for under /lib/apk/packages:
//
//	NAME.rusers             users to make (add_group_and_user)
//	NAME.list               every file and link, for the init scripts and
//	                        uci-defaults among them (default_postinst)
//	NAME.conffiles          what sysupgrade keeps
//	NAME.conffiles_static   their SHA-256 as packed, to see what was changed
func addLists(p *parcel.Parcel) {
	file := func(suffix, text string) {
		p.Add(parcel.File{Path: "/lib/apk/packages/" + p.Name + suffix, Mode: 0o644, Data: []byte(text)})
	}
	if p.User != "" {
		file(".rusers", p.User+"\n")
	}
	// The list is made before the others, so it does not name them.
	var list strings.Builder
	for _, f := range p.Files {
		fmt.Fprintln(&list, f.Path)
	}
	file(".list", list.String())
	if len(p.Conffiles) == 0 {
		return
	}
	var static strings.Builder
	for _, name := range slices.Sorted(slices.Values(p.Conffiles)) {
		f, _ := p.File(name) // Check has seen that it is there
		fmt.Fprintf(&static, "%s %x\n", name, sha256.Sum256(f.Data))
	}
	file(".conffiles", strings.Join(slices.Sorted(slices.Values(p.Conffiles)), "\n")+"\n")
	file(".conffiles_static", static.String())
}

// scriptsOf wraps the maintainer's own parts as package-pack.mk does. The
// system's helpers are asked first; without them (a root file system that is
// not OpenWrt's) nothing is done. An upgrade is told by PKG_UPGRADE=1; apk
// then runs neither pre-deinstall nor post-install.
func scriptsOf(p parcel.Parcel) map[int][]byte {
	ask := func(calls ...string) string {
		return "[ -s \"${IPKG_INSTROOT}/lib/functions.sh\" ] || exit 0\n" +
			". \"${IPKG_INSTROOT}/lib/functions.sh\"\n" +
			"export root=\"${IPKG_INSTROOT}\"\n" +
			"export pkgname=\"" + p.Name + "\"\n" +
			strings.Join(calls, "\n") + "\n"
	}
	script := func(parts ...string) []byte {
		return []byte("#!/bin/sh\n" + strings.Join(parts, ""))
	}
	const upgrade = "export PKG_UPGRADE=1\n"
	after := "[ \"${IPKG_NO_SCRIPT}\" = \"1\" ] && exit 0\n" +
		ask("add_group_and_user", "default_postinst") + string(parcel.Body(p.Scripts.PostInst))

	s := map[int][]byte{
		scriptPostInst:    script(after),
		scriptPostUpgrade: script(upgrade, after),
		scriptPreDeinst:   script(ask("default_prerm"), string(parcel.Body(p.Scripts.PreRm))),
	}
	if before := parcel.Body(p.Scripts.PreInst); len(bytes.TrimSpace(before)) > 0 {
		s[scriptPreInst] = script(string(before))
		s[scriptPreUpgrade] = script(upgrade, string(before))
	}
	if gone := parcel.Body(p.Scripts.PostRm); len(bytes.TrimSpace(gone)) > 0 {
		s[scriptPostDeinst] = script(string(gone))
	}
	return s
}
