package hien_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHouseLooksAtItsScripts holds that `make check` looks at them wherever it
// runs: on a machine without shellcheck it is installed, or the check fails.
func TestHouseLooksAtItsScripts(t *testing.T) {
	for _, args := range [][]string{{"check"}, {"check", "SUMMARY=1"}} {
		out, err := exec.Command("make", append([]string{"-n"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("make -n %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		lines := strings.Split(string(out), "\n")
		deps, looks := slices.Index(lines, "scripts/deps check"), slices.Index(lines, "shellcheck .ci/run scripts/*")
		if deps < 0 || looks < deps {
			t.Errorf("make %s runs\n%swant scripts/deps check, and then shellcheck whatever there is", strings.Join(args, " "), out)
		}
	}
}

// TestHouseInstallsWhatItsChecksNeed runs scripts/deps where there is nothing
// but a compiler.
func TestHouseInstallsWhatItsChecksNeed(t *testing.T) {
	for _, c := range []struct{ name, user, there, installs, says string }{
		{"root", "0", "busybox openssl xz", "update\ninstall -y --no-install-recommends shellcheck signify-openbsd\n", ""},
		{"somebody else", "1000", "busybox openssl xz", "", "apt-get install --no-install-recommends shellcheck signify-openbsd"},
		{"where all is there", "1000", "busybox openssl xz shellcheck signify-openbsd", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			program := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for name := range strings.FieldsSeq("make gcc " + c.there) {
				program(name, "")
			}
			for _, name := range []string{"mktemp", "rm", "tail"} {
				path, err := exec.LookPath(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			asked := filepath.Join(dir, "asked")
			program("id", "echo "+c.user+"\n")
			program("apt-get", `echo "$*" >>'`+asked+"'\n")

			cmd := exec.Command("scripts/deps", "check")
			cmd.Env = []string{"PATH=" + dir, "TMPDIR=" + dir}
			out, err := cmd.CombinedOutput()
			if fails := c.says != ""; fails != (err != nil) || !strings.Contains(string(out), c.says) {
				t.Errorf("got %v, output %q; want %q", err, out, c.says)
			}
			got, err := os.ReadFile(asked)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if string(got) != c.installs {
				t.Errorf("apt-get was asked %q, want %q", got, c.installs)
			}
		})
	}
}
