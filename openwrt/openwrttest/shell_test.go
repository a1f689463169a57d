package openwrttest

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scripts are the shell scripts under openwrt: those with a shebang of a
// shell, and those that say what they are to shellcheck.
func scripts(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(name) == ".go" {
			return err
		}
		text, err := os.ReadFile(name)
		if first, _, _ := bytes.Cut(text, []byte("\n")); bytes.HasPrefix(first, []byte("#!")) && bytes.Contains(first, []byte{'s', 'h'}) || bytes.HasPrefix(first, []byte("# shellcheck shell=")) {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestScriptsPassShellcheck(t *testing.T) {
	all := scripts(t)
	if len(all) < 20 {
		t.Errorf("got %d scripts, want all of them seen: %v", len(all), all)
	}
	if out, err := exec.Command("shellcheck", all...).CombinedOutput(); err != nil {
		t.Errorf("shellcheck (scripts/deps test installs it): %v\n%s", err, out)
	}
}

func TestScriptsAreBusyboxs(t *testing.T) {
	for _, name := range scripts(t) {
		if text, err := os.ReadFile(name); err != nil || bytes.HasPrefix(text, []byte(bigShell)) {
			continue // for a workshop, not for a router
		}
		if out, err := exec.Command("busybox", append(syntax, name)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	// The check sees what is wrong.
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("if true; then\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("busybox", append(syntax, wrong)...).CombinedOutput(); err == nil {
		t.Errorf("a script without its end passes:\n%s", out)
	}
}

// TestScriptsUseWhatRoutersHave holds that the scripts that run on a router
// call no program that OpenWrt's busybox is built without.
func TestScriptsUseWhatRoutersHave(t *testing.T) {
	missing := []string{"stat", "install", "realpath", "seq -f", "mktemp -d", "find", "od", "fold", "shuf", "column", "tac", "getent", "useradd"}
	for _, name := range scripts(t) {
		if !strings.HasPrefix(name, "../hien/") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, program := range missing {
				for _, before := range []string{"\t", " ", "(", "|", "`"} {
					if strings.Contains(line, before+program+" ") {
						t.Errorf("%s:%d: %s is not on every router: %s", name, n+1, program, strings.TrimSpace(line))
					}
				}
			}
		}
	}
}
