package firewall_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

func TestOpenNamesWhatIsMissing(t *testing.T) {
	world.Need(t)
	has := func(names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Fatal(err)
			}
			if path, err = filepath.EvalSymlinks(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	four := []string{"iptables", "iptables-save", "iptables-restore"}
	for name, c := range map[string]struct {
		path string
		want []string
	}{
		"nothing is there": {has(), []string{
			"iptables is missing: install the package iptables (Debian, Ubuntu) or iptables-nft (OpenWrt)",
			"iptables-save is missing", "iptables-restore is missing",
			"ip6tables is missing: install the package iptables (Debian, Ubuntu) or ip6tables-nft (OpenWrt)",
			"ipset is missing: install the package ipset (Debian, Ubuntu) or ipset and kmod-ipt-ipset (OpenWrt)",
		}},
		"only IPv6 is missing": {has(append(four, "ipset")...), []string{"ip6tables is missing", "ip6tables-save is missing", "ip6tables-restore is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", c.path)
			f, err := firewall.Open(soon(t), firewall.Options{Backend: firewall.IPTables})
			if err == nil {
				f.Close()
				t.Fatal("Open has found what is not there")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to say %q", err, want)
				}
			}
			// nftables needs no program.
			f, err = firewall.Open(soon(t), firewall.Options{})
			if err != nil {
				t.Fatalf("without programs: got %v, want nftables", err)
			}
			defer f.Close()
			if got := f.Kernel().Backend; got != firewall.NFTables {
				t.Errorf("got %s, want nftables", got)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	missing := fmt.Errorf("it is missing")
	for name, c := range map[string]struct {
		want firewall.Backend
		has  firewall.Machine
		got  firewall.Backend
		err  string // a part of the error; empty for none
	}{
		"a router with both gets nftables":              {firewall.Auto, firewall.Machine{}, firewall.NFTables, ""},
		"nothing said is auto":                          {"", firewall.Machine{}, firewall.NFTables, ""},
		"an old router gets iptables":                   {firewall.Auto, firewall.Machine{NFTables: missing}, firewall.IPTables, ""},
		"a router without iptables gets nftables":       {firewall.Auto, firewall.Machine{IPTables: missing}, firewall.NFTables, ""},
		"a router with neither is told both reasons":    {firewall.Auto, firewall.Machine{NFTables: missing, IPTables: missing}, "", "nftables: it is missing; iptables: it is missing"},
		"iptables can be asked for":                     {firewall.IPTables, firewall.Machine{}, firewall.IPTables, ""},
		"what is asked for and missing is no surprise":  {firewall.NFTables, firewall.Machine{NFTables: missing}, firewall.NFTables, "it is missing"},
		"what is no firewall is told what there can be": {"pf", firewall.Machine{}, "", "want auto, nftables or iptables"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := firewall.Choose(c.want, c.has)
			if got != c.got || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %q, %v; want %q, %q", got, err, c.got, c.err)
			}
		})
	}
}
