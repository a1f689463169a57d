package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheLinkerMayLeaveMethodsOut holds that nothing in the program finds
// methods by names that are not known when it is linked, as text/template
// does: the linker would have to keep every exported method there is, a
// seventh of the program.
func TestTheLinkerMayLeaveMethodsOut(t *testing.T) {
	tags, err := os.ReadFile("tags")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", strings.TrimSpace(string(tags)),
		"-ldflags", "-dumpdep", "-o", filepath.Join(t.TempDir(), "hien"), ".").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(out, []byte("main.main -> ")) {
		t.Fatalf("the linker does not say what needs what: %.1000s", out)
	}
	for line := range bytes.Lines(out) {
		if user, _, found := bytes.Cut(line, []byte(" <ReflectMethod> -> ")); found {
			t.Fatalf("%s finds methods by name", user)
		}
	}
}
