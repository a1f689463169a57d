package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/world"
)

// gateSays runs `hien gate` in this process.
func gateSays(t *testing.T, args ...string) (out, errOut string, err error) {
	t.Helper()
	var o, e strings.Builder
	c := newCall(command{name: "gate", json: true, run: gate}, args, &o, &e)
	err = gate(t.Context(), c)
	return o.String(), e.String(), err
}

// TestGate shuts, looks at and opens the gate without a daemon and without a
// packet filter.
func TestGate(t *testing.T) {
	world.Need(t) // the process is in a network namespace of its own
	t.Cleanup(func() { firewall.OpenGate(context.Background()) })
	dir := t.TempDir()
	zones := "config zone 'guest'\n\toption interface 'br-guest'\nconfig zone 'upstairs'\n\toption interface 'br-up'\n"
	good := write(t, filepath.Join(dir, "good"), "config hien 'main'\n\toption store_id 'a'\n\toption store_name 'A'\n"+zones)
	state := func(config string) (v gateView, err error) {
		t.Helper()
		out, _, err := gateSays(t, "status", "--json", "--config", config)
		if e := json.Unmarshal([]byte(out), &v); e != nil {
			t.Fatalf("%v: %s", e, out)
		}
		return v, err
	}

	if v, err := state(good); err == nil || v.Shut || len(v.Faults) != 2 {
		t.Errorf("before it is shut: %+v, %v; want two faults and an error", v, err)
	}
	out, _, err := gateSays(t, "shut", "--config", good)
	if err != nil || !strings.Contains(out, "shut for br-guest, br-up") {
		t.Errorf("shut: %q, %v", out, err)
	}
	want := gateView{Shut: true, Interfaces: []string{"br-guest", "br-up"}, Mark: "0x1000000", Faults: []string{}}
	if v, err := state(good); err != nil || cmp.Diff(want, v) != "" {
		t.Errorf("shut: %v; -want +got:\n%s", err, cmp.Diff(want, v))
	}

	// With a mistake elsewhere the daemon does not start, and the gate is shut.
	bad := write(t, filepath.Join(dir, "bad"), "config hien 'main'\n\toption mark '0x02000000'\n\toption what 'ever'\n"+zones)
	out, errOut, err := gateSays(t, "shut", "--config", bad)
	if err != nil || !strings.Contains(out, "shut for") || !strings.Contains(errOut, "the configuration has mistakes") {
		t.Errorf("with a mistake: %q, %q, %v", out, errOut, err)
	}
	if v, err := state(bad); err != nil || v.Mark != "0x2000000" {
		t.Errorf("with a mistake: %+v, %v", v, err)
	}
	if v, err := state(good); err == nil || v.Shut {
		t.Errorf("with another mark than is configured: %+v, %v; want an error", v, err)
	}
	if _, _, err := gateSays(t, "shut", "--config", filepath.Join(dir, "none")); err == nil {
		t.Error("without a configuration: want an error")
	}

	out, _, err = gateSays(t, "open")
	if err != nil || !strings.Contains(out, "nothing but the packet filter") {
		t.Errorf("open: %q, %v", out, err)
	}
	if v, err := state(good); err == nil || v.Shut || len(v.Interfaces) > 0 {
		t.Errorf("open: %+v, %v; want an error", v, err)
	}

	// Switched off, a gate that is open stays so, and one that is shut too.
	for name, main := range map[string]string{
		"switched off":                 "config hien 'main'\n\toption enabled '0'\n\toption store_id 'a'\n\toption store_name 'A'\n",
		"switched off, with a mistake": "config hien 'main'\n\toption enabled '0'\n\toption what 'ever'\n",
	} {
		off := write(t, filepath.Join(dir, "off"), main+zones)
		for _, verb := range []string{"shut", "status"} {
			if out, errOut, err := gateSays(t, verb, "--config", off); err != nil || errOut != "" || !strings.Contains(out, "switched off") || !strings.Contains(out, "the gate is open, as it should be") {
				t.Errorf("%s: %s says %q %q, %v; want that the gate is open", name, verb, out, errOut, err)
			}
		}
		if v, err := state(good); err == nil || len(v.Interfaces) > 0 {
			t.Errorf("%s: shut has shut it: %+v, %v", name, v, err)
		}
		if _, _, err := gateSays(t, "shut", "--config", good); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"shut", "status"} {
			if out, _, err := gateSays(t, verb, "--config", off); err != nil || !strings.Contains(out, "still shut for br-guest, br-up: `hien cleanup` opens it") {
				t.Errorf("%s: %s says %q, %v; want that an earlier gate is shut", name, verb, out, err)
			}
		}
		if v, err := state(good); err != nil || !v.Shut {
			t.Errorf("%s: a gate that was shut: %+v, %v; want it left as it was", name, v, err)
		}
		if _, _, err := gateSays(t, "open"); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{}, {"ajar"}, {"shut", "now"}} {
		if _, errOut, err := gateSays(t, args...); err != errUsage || errOut == "" {
			t.Errorf("hien gate %v: %v, saying %q; want how it is used", args, err, errOut)
		}
	}
}
