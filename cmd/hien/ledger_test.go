package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/world"
)

// TestTheLedgerLeavesTheHouse exports the ledger of a living and of a dead
// daemon, and has the verifier look at both.
func TestTheLedgerLeavesTheHouse(t *testing.T) {
	s := openShop(t, world.Options{Uncounted: true}, everyday)
	s.give(s.join("p"), "0987654321")
	s.give(s.join("q"), "0987654322")
	verifier, err := world.Build(t.Context(), "./cmd/hien-verify")
	if err != nil {
		t.Fatal(err)
	}
	verify := func(file string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), verifier, file).CombinedOutput()
		if err != nil {
			t.Fatalf("hien-verify: %v\n%s", err, out)
		}
		return string(out)
	}
	alive, dead := filepath.Join(t.TempDir(), "alive"), filepath.Join(t.TempDir(), "dead")
	s.hien("ledger", "export", "--out", alive)
	if out := verify(alive); !strings.Contains(out, "2 consents") {
		t.Errorf("the verifier says: %s", out)
	}
	s.stop()
	s.hien("ledger", "export", "--out", dead)
	if out := verify(dead); !strings.Contains(out, "2 consents") {
		t.Errorf("with the daemon dead the verifier says: %s", out)
	}
}
