package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// qemu builds the program for each machine and tries it under QEMU's user
// mode (see emulate): it says its version, makes keys, checks a configuration; a consent is
// given and taken back in a record; and the program verifies that record's
// ledger. Where SQLite is the one translated to Go, all tests of the record
// run too.
func (j job) qemu(ctx context.Context) error {
	for _, m := range j.machines {
		began := time.Now()
		said, err := j.tryMachine(ctx, m)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Fprintf(j.to, "%s: %s (%s)\n", m.name, strings.Join(said, "; "), time.Since(began).Round(time.Second))
	}
	return nil
}

func (j job) tryMachine(ctx context.Context, m machine) (said []string, err error) {
	program, err := j.compile(ctx, m, goCommand{})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hien-qemu-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	tests := filepath.Join(dir, "sqlite.test")
	if err := j.goRun(ctx, m, goCommand{}, "test", "-c", "-tags", j.tagsFor(m), "-ldflags", j.ldflags(m, false), "-o", tests, "./internal/sqlite"); err != nil {
		return nil, err
	}

	hien := func(args ...string) (string, error) { return emulate(ctx, m, dir, nil, program, args...) }
	version, err := hien("--version")
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(version, "hien ") || j.version != "" && version != "hien "+j.version {
		return nil, fmt.Errorf("--version says %q, want %q", version, "hien "+j.version)
	}
	config, err := writeConfig(dir, hien)
	if err != nil {
		return nil, err
	}
	checked, err := hien("config", "check", "--config", config)
	if err != nil {
		return nil, err
	}
	source := filepath.Join(j.root, "internal", "sqlite")
	left, err := emulate(ctx, m, source, []string{"HIEN_SQLITE_TEST_LEAVE=" + filepath.Join(dir, "data")}, tests)
	if err != nil {
		return nil, err
	}
	verified, err := hien("ledger", "verify", "--config", config)
	if err != nil {
		return nil, err
	}
	said = []string{version, strings.TrimPrefix(checked, dir+"/"), left, strings.SplitN(verified, "\n", 2)[0]}
	if m.translated() {
		// A process under QEMU cannot start itself again, so nothing is killed.
		all, err := emulate(ctx, m, source, nil, tests, "-test.skip=Killed|SharedMappings", "-test.v", "-test.timeout=30m", "-rapid.checks=5")
		if err != nil {
			return nil, err
		}
		said = append(said, fmt.Sprintf("%d tests of the record passed", strings.Count(all, "\n--- PASS: ")))
	}
	return said, nil
}

// emulate runs a program in a folder under QEMU's user mode, or as it is where
// this kernel runs it, and answers what it said. QEMU 7.2 would crash a program
// for the 386 that has more than one thread.
func emulate(ctx context.Context, m machine, dir string, env []string, program string, args ...string) (string, error) {
	argv := append([]string{"qemu-" + m.qemu + "-static", program}, args...)
	if m.native() {
		argv = argv[1:]
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	switch err := cmd.Run(); {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("%w: `scripts/deps qemu` installs it", err)
	case err != nil:
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, &out, &errOut)
	}
	return strings.TrimSpace(out.String()), nil
}

// writeConfig writes a shop's configuration, with keys that the program made.
func writeConfig(dir string, hien func(...string) (string, error)) (path string, err error) {
	brand := filepath.Join(dir, "brand.key")
	made, err := hien("keygen", "--json", "--brand-key-file", brand)
	if err != nil {
		return "", err
	}
	var keys struct {
		Seal string `json:"seal_key"`
	}
	if err := json.Unmarshal([]byte(made), &keys); err != nil {
		return "", fmt.Errorf("read what keygen said: %w", err)
	}
	path = filepath.Join(dir, "hien.conf")
	return path, os.WriteFile(path, fmt.Appendf(nil, `config hien 'main'
	option enabled '1'
	option store_id 'hcm-q1-01'
	option store_name 'Quán Hiên'
	option data_dir '%s'
	option run_dir '%s'
	option brand_key_file '%s'
	option seal_key '%s'
	option controller_name 'Công ty TNHH Hiên Mẫu'
	option controller_address '1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh'
	option controller_tax_id '0000000001'
	option controller_contact 'dpo@hien.example'

config zone 'guest'
	option interface '%s'
	option portal_port '2050'
	list purpose 'visit_frequency'
	list purpose 'contact_zalo'

config sender 'code'
	option type 'log'
`, filepath.Join(dir, "data"), filepath.Join(dir, "run"), brand, keys.Seal, guestBridge), 0o600)
}
