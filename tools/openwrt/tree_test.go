package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

const realTree = "../../openwrt"

// TestTheRealTree holds what the packages are really made of to what a router
// will ask of it.
func TestTheRealTree(t *testing.T) {
	for _, name := range []string{"hien", "luci-app-hien", "deb"} {
		t.Run(name, func(t *testing.T) {
			p, label, err := parcel.Load(filepath.Join(realTree, name), "0.1.0", time.Unix(defaultEpoch, 0))
			if err != nil {
				t.Fatal(err)
			}
			checkParcel(t, p)
			checkScripts(t, p)
			switch name {
			case "hien":
				checkService(t, p, label)
			case "luci-app-hien":
				checkPages(t, p)
			case "deb":
				checkUnit(t, label)
			}
		})
	}
	out := t.TempDir()
	pack(t, out, append(bins(t, allMachines()...), "-tree", realTree)...)
	if got := len(files(t, out)); got < 30 {
		t.Errorf("%d files were made, want all packages and feeds", got)
	}
}

func checkParcel(t *testing.T, p parcel.Parcel) {
	t.Helper()
	for _, f := range p.Files {
		base := path.Base(f.Path)
		if strings.HasPrefix(base, ".") || strings.HasSuffix(base, "~") || strings.HasSuffix(base, ".orig") {
			t.Errorf("%s does not belong into a package", f.Path)
		}
		script := bytes.HasPrefix(f.Data, []byte("#!"))
		if script != (f.Mode&0o100 != 0) && !strings.HasPrefix(f.Path, "/etc/uci-defaults/") {
			t.Errorf("%s: mode %o, and begins with %q", f.Path, f.Mode, f.Data[:min(20, len(f.Data))])
		}
		if strings.HasSuffix(f.Path, ".json") && !json.Valid(f.Data) {
			t.Errorf("%s is no JSON", f.Path)
		}
		if bytes.Contains(f.Data, []byte("\r\n")) {
			t.Errorf("%s has the line ends of another system", f.Path)
		}
	}
}

// checkScripts asks the router's shell whether it understands every script.
func checkScripts(t *testing.T, p parcel.Parcel) {
	t.Helper()
	scripts := map[string][]byte{"preinst": p.Scripts.PreInst, "postinst": p.Scripts.PostInst, "prerm": p.Scripts.PreRm, "postrm": p.Scripts.PostRm}
	for _, f := range p.Files {
		if bytes.HasPrefix(f.Data, []byte("#!/bin/sh")) || strings.HasPrefix(f.Path, "/etc/uci-defaults/") {
			scripts[f.Path] = f.Data
		}
	}
	for name, text := range scripts {
		cmd := exec.Command("busybox", "ash", "-n")
		cmd.Stdin = bytes.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: busybox ash -n: %v %s", name, err, out)
		}
	}
}

func checkService(t *testing.T, p parcel.Parcel, label parcel.Label) {
	t.Helper()
	if p.Name != "hien" || label.Binary == "" {
		t.Errorf("name %q and binary %q, want hien and where it goes", p.Name, label.Binary)
	}
	init, there := p.File("/etc/init.d/hien")
	if !there || !bytes.HasPrefix(init.Data, []byte("#!/bin/sh /etc/rc.common\n")) || !bytes.Contains(init.Data, []byte(label.Binary)) {
		t.Errorf("/etc/init.d/hien is not an init script that starts %s", label.Binary)
	}
	config, there := p.File("/etc/config/hien")
	if !there || config.Mode != 0o600 || len(p.Conffiles) == 0 || p.Conffiles[0] != "/etc/config/hien" {
		t.Errorf("/etc/config/hien has mode %o and conffiles are %v: want 0600, and a conffile", config.Mode, p.Conffiles)
	}
	for _, name := range []string{"/etc/init.d/hien-setup", "/etc/uci-defaults/90-hien", "/etc/capabilities/hien.json", "/lib/upgrade/keep.d/hien"} {
		if _, there := p.File(name); !there {
			t.Errorf("there is no %s", name)
		}
	}
	if !regexp.MustCompile(`^hien=(\d+):hien=(\d+)$`).MatchString(p.User) {
		t.Errorf("the user is %q, want hien=id:hien=id", p.User)
	}
}

func checkPages(t *testing.T, p parcel.Parcel) {
	t.Helper()
	if p.Name != "luci-app-hien" || p.Section != "luci" {
		t.Errorf("name %q in section %q, want luci-app-hien in luci", p.Name, p.Section)
	}
	var views, menu, acl int
	for _, f := range p.Files {
		switch {
		case strings.HasPrefix(f.Path, "/www/luci-static/resources/view/"):
			views++
		case strings.HasPrefix(f.Path, "/usr/share/luci/menu.d/"):
			menu++
		case strings.HasPrefix(f.Path, "/usr/share/rpcd/acl.d/"):
			acl++
		}
	}
	if views == 0 || menu != 1 || acl != 1 {
		t.Errorf("%d views, %d menus and %d access lists, want views and one of each", views, menu, acl)
	}
	needs := map[string]bool{}
	for _, d := range p.Depends {
		needs[d.Name] = true
	}
	if !needs["luci-base"] || !needs["hien"] {
		t.Errorf("it depends on %v, want luci-base and hien", p.Depends)
	}
}

func checkUnit(t *testing.T, label parcel.Label) {
	t.Helper()
	unit, err := os.ReadFile(filepath.Join(realTree, "systemd/hien.service"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(unit, []byte("ExecStart="+label.Binary+" ")) {
		t.Errorf("the unit does not start %s:\n%s", label.Binary, unit)
	}
}
