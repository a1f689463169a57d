package apk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// functions stands for OpenWrt's /lib/functions.sh: it says who called.
const functions = `
say() { echo "$* root=$root pkgname=$pkgname upgrade=$PKG_UPGRADE"; }
add_group_and_user() { say add_group_and_user "$@"; }
default_postinst() { say default_postinst "$@"; }
default_prerm() { say default_prerm "$@"; }
`

// runScript runs a script by the shell that routers have.
func runScript(t *testing.T, script, root string, env ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("busybox", "ash", "-n", file).CombinedOutput(); err != nil {
		t.Errorf("busybox ash -n: %v %s\n%s", err, out, script)
	}
	if out, err := exec.Command("shellcheck", "--shell=dash", "--exclude=SC1090,SC1091", file).CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v %s", err, out)
	}
	cmd := exec.Command("busybox", "ash", file)
	cmd.Env = append(env, "IPKG_INSTROOT="+root, "PATH="+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s\n%s", err, out, script)
	}
	return strings.ReplaceAll(string(out), root, "ROOT")
}

func TestScripts(t *testing.T) {
	openwrt, other := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(openwrt, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(openwrt, "lib/functions.sh"), []byte(functions), 0o644); err != nil {
		t.Fatal(err)
	}
	scripts := read(t, write(t, load(t, "hien", "x86_64")).Bytes).Root.Get("scripts")
	for _, c := range []struct {
		name, script, root string
		env                []string
		want               string
	}{
		{"before the first installation", "pre-install", openwrt, nil, "before\n"},
		{"before an upgrade", "pre-upgrade", openwrt, nil, "before 1\n"},
		{"after the first installation: user, service, own part", "post-install", openwrt, nil,
			"add_group_and_user root=ROOT pkgname=hien upgrade=\ndefault_postinst root=ROOT pkgname=hien upgrade=\nafter\n"},
		{"after an upgrade", "post-upgrade", openwrt, nil,
			"add_group_and_user root=ROOT pkgname=hien upgrade=1\ndefault_postinst root=ROOT pkgname=hien upgrade=1\nafter 1\n"},
		{"before removal", "pre-deinstall", openwrt, nil, "default_prerm root=ROOT pkgname=hien upgrade=\nleaving\n"},
		{"after removal", "post-deinstall", openwrt, nil, "gone\n"},
		{"where scripts are not wanted", "post-install", openwrt, []string{"IPKG_NO_SCRIPT=1"}, ""},
		{"where it is no OpenWrt, after installation", "post-install", other, nil, ""},
		{"where it is no OpenWrt, before removal", "pre-deinstall", other, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := runScript(t, scripts.Get(c.script).Text(), c.root, c.env...)
			if got = strings.ReplaceAll(got, " \n", "\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestNoScriptWhereThereIsNothingToDo(t *testing.T) {
	p := load(t, "luci-app-hien", "all")
	p.Scripts = parcel.Scripts{PreInst: []byte("#!/bin/sh\n"), PostRm: []byte("#!/bin/sh\n\n")}
	scripts := read(t, write(t, p).Bytes).Root.Get("scripts")
	for _, name := range []string{"pre-install", "pre-upgrade", "post-deinstall"} {
		if got := scripts.Get(name).Text(); got != "" {
			t.Errorf("%s is %q, want none", name, got)
		}
	}
	for _, name := range []string{"post-install", "post-upgrade", "pre-deinstall"} {
		if got := scripts.Get(name).Text(); !strings.Contains(got, `pkgname="luci-app-hien"`) {
			t.Errorf("%s is %q, want the system's helpers called for luci-app-hien", name, got)
		}
	}
}
