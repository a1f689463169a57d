package openwrttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const unit = "../systemd/hien.service"

// TestTheUnitIsOneOfSystemds has systemd's own checker read the unit, in a
// root with the programs that it names.
func TestTheUnitIsOneOfSystemds(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		t.Helper()
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	put("etc/systemd/system/hien.service", string(text), 0o644)
	for _, other := range []string{"sysinit", "basic", "multi-user", "shutdown", "network-pre", "network-online"} {
		put("etc/systemd/system/"+other+".target", "[Unit]\nDefaultDependencies=no\n", 0o644)
	}
	for _, other := range []string{"nftables", "netfilter-persistent"} {
		put("etc/systemd/system/"+other+".service", "[Service]\nExecStart=/bin/kill\n", 0o644)
	}
	for _, program := range regexp.MustCompile(`(?m)^Exec\w+=[-+]*(\S+)`).FindAllStringSubmatch(string(text), -1) {
		put(program[1], "", 0o755)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--root="+root, "hien.service").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}

	// A unit with a mistake is seen to be one.
	put("etc/systemd/system/hien.service", strings.Replace(string(text), "Type=exec", "Type=porch", 1), 0o644)
	if out, _ := exec.Command("systemd-analyze", "verify", "--root="+root, "hien.service").CombinedOutput(); !strings.Contains(string(out), "porch") {
		t.Errorf("a type that is none is not seen:\n%s", out)
	}
}

// TestTheUnitIsShutIn holds that the service has little beside what it needs,
// by systemd's own measure from 0 to 10.
func TestTheUnitIsShutIn(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", unit).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`exposure level for hien.service: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("no exposure level in\n%s", out)
	}
	if level, err := strconv.ParseFloat(string(m[1]), 64); err != nil || level > 2.5 {
		t.Errorf("exposure level: got %s, want at most 2.5\n%s", m[1], out)
	}
}

// TestTheUnitPutsAnUnfinishedSetupBackFirst holds that it does so before
// anything has read the configuration, and that nothing hangs on it.
func TestTheUnitPutsAnUnfinishedSetupBackFirst(t *testing.T) {
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile(`(?m)^Exec\w+=.*$`).FindString(string(text))
	if want := "ExecStartPre=-+/usr/bin/hien setup --recover --lang en"; first != want {
		t.Errorf("the first thing that is run: got %s, want %s", first, want)
	}
}

// TestTheUnitAgreesWithTheRouters holds that both know the same capabilities
// and patience, and that the directories are those of the configuration.
func TestTheUnitAgreesWithTheRouters(t *testing.T) {
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile("../deb/root/etc/config/hien")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE\n",
		"CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE\n",
		"ExecStartPre=+/usr/bin/chown -h root:hien /etc/config/hien\nExecStartPre=+/usr/bin/chmod 0640 /etc/config/hien\n",
		"ExecStartPre=+/usr/bin/chown -hR hien:hien /etc/hien /var/lib/hien\n", "ReadWritePaths=-/etc/hien\n", // what root restored, and the brand key after a power cut
		"TimeoutStopSec=15\n", "RestartSec=5\n", "StateDirectory=hien\n", "RuntimeDirectory=hien\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the unit has no line %s", want)
		}
	}
	for _, want := range []string{"option data_dir '/var/lib/hien'\n", "option run_dir '/run/hien'\n"} {
		if !strings.Contains(string(conf), want) {
			t.Errorf("the configuration has no line %s", want)
		}
	}
}
