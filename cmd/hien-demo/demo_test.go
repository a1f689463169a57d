package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/world"
)

// These tests run on the machine, as a user's `make demo` does, and not in a
// world: what they hold is that the machine stays as it is.

// programs builds the gateway, the auditors' program and the demo into a folder of the test.
func programs(t *testing.T) (hien, demo string) {
	t.Helper()
	dir := t.TempDir()
	tags, err := os.ReadFile("../hien/tags")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", strings.TrimSpace(string(tags)),
		"-o", dir+string(filepath.Separator), "../hien", "../hien-verify", ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "hien"), filepath.Join(dir, "hien-demo")
}

func TestDemoLeavesTheMachineAsItWas(t *testing.T) {
	hien, demo := programs(t)
	for _, c := range []struct {
		name  string
		until string // a step at which the end comes; the last one when empty
		end   os.Signal
		code  int // -1: killed by the signal
	}{
		{"when it has finished", "", nil, 0},
		{"when it was interrupted", "C closes the sheet", os.Interrupt, 1},
		{"when it was killed", "C closes the sheet", syscall.SIGKILL, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			before, err := world.Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, demo, "-hien", hien)
			// Everything that the demo starts holds the pipe: its end is the
			// end of all of them.
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd.Stdout, cmd.Stderr = w, w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			var told strings.Builder
			lines := bufio.NewReader(io.TeeReader(r, &told))
			for c.until != "" {
				line, err := lines.ReadString('\n')
				if err != nil {
					t.Fatalf("the demo ended before %q: %v\n%s", c.until, err, told.String())
				}
				if strings.Contains(line, c.until) {
					if err := cmd.Process.Signal(c.end); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
			if _, err := io.Copy(io.Discard, lines); err != nil {
				t.Error(err)
			}
			err = cmd.Wait()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d; want %d\n%s", got, c.code, told.String())
			}
			after, err := world.Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if diff := world.SnapshotDiff(before, after); diff != "" {
				t.Errorf("the machine has changed:\n%s", diff)
			}
			if c.until == "" {
				for _, want := range []string{"The ledger holds", `"Store Visited"`, `"sealed_phone"`, "lần ghé thứ 2", "the event of contact_zalo never came", `"Person Erased"`, "answers as one that never was", "hien-verify: ", "done\n"} {
					if !strings.Contains(told.String(), want) {
						t.Errorf("the story lacks %q:\n%s", want, told.String())
					}
				}
			}
		})
	}
}

func TestDemoSaysWhichStepDidNotHappen(t *testing.T) {
	_, demo := programs(t)
	out, err := exec.CommandContext(t.Context(), demo, "-hien", "/bin/false").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "this did not happen: the gateway starts") {
		t.Errorf("with a gateway that does not work: %v\n%s", err, out)
	}
}
