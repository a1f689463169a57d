// Package lucitest holds the tests of luci-app-hien: its pages in a real
// browser, on top of a small stand-in of LuCI's own; the script by which they
// reach Hiên, run by busybox as on a router; what each session may do; and the
// Vietnamese of it all. It has no code of its own.
package lucitest

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/config"
)

// app is the package's folder.
const app = "../luci-app-hien"

var update = flag.Bool("update", false, "rewrite the template and the compiled catalogue")

// At names the folder of a test's router, for the programs on it.
const at = "HIEN_LUCITEST_AT"

// TestMain makes the test binary the programs of a test's router as well:
// rpcd's script finds it by their names.
func TestMain(m *testing.M) {
	if dir := os.Getenv(at); dir != "" {
		if program := filepath.Base(os.Args[0]); program == "hien" || program == "uci" {
			os.Exit(play(dir, program, os.Args[1:]))
		}
	}
	os.Exit(m.Run())
}

// play writes down how a program was called, and answers as the test has
// prepared it: NAME.json on standard output, or NAME.err on standard error.
func play(dir, program string, args []string) int {
	line, _ := json.Marshal(append([]string{program}, args...)) // strings always can be
	f, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	switch {
	case program == "uci":
		return show(filepath.Join(dir, "staged"))
	case slices.Equal(args[:min(2, len(args))], []string{"config", "check"}):
		return check(args[3])
	}
	name := filepath.Join(dir, args[0])
	os.ReadFile(name + ".hold") // a pipe on which it waits, where there is one
	if args[0] == "guests" && slices.Contains(args, "--full") {
		name += "-full"
	}
	if said, err := os.ReadFile(name + ".err"); err == nil {
		os.Stderr.Write(said)
		return 1
	}
	return show(name + ".json")
}

func show(name string) int {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0 // what is only done has nothing to show
	}
	os.Stdout.Write(text)
	return 0
}

// check is `hien config check`, as cmd/hien has it.
func check(name string) int {
	cfg, err := config.Load(name)
	if err == nil {
		var warnings []string
		warnings, err = cfg.Check()
		for _, w := range warnings {
			fmt.Fprintf(os.Stderr, "warning: %s\n", w)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "hien: %v\n", err)
		return 1
	}
	fmt.Printf("%s is in order.\n", name)
	return 0
}

// read is a file of the package.
func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(app, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// scripts are the package's JavaScript files, by their names below htdocs.
func scripts(t testing.TB) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(filepath.Join(app, "htdocs"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".js") {
			rel, _ := filepath.Rel(app, name) // both are below app
			all[rel] = read(t, rel)
		}
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d scripts: %v", len(all), err)
	}
	return all
}
