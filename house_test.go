package hien_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file and house_rules_test.go hold the shape of the house. They parse
// the sources themselves: a test that asked `go list` would be cached and stay
// green.

const module = "github.com/hien-wifi/hien"

// floors are the rooms. What stands on a floor imports what stands below it,
// never what stands beside it. A room is entered here when it is made, with
// its reason in docs/architecture.md.
var floors = map[string]int{
	"consent":              0,
	"internal/commandline": 0,
	"internal/probes":      0,
	"internal/qr":          0,

	"": 1, // package hien

	"firewall":           2,
	"internal/accesslog": 2,
	"internal/backup":    2,
	"internal/dns":       2,
	"internal/inventory": 2,
	"internal/livebook":  2,
	"internal/otp":       2,
	"internal/presence":  2,
	"internal/sqlite":    2,
	"internal/uci":       2,
	"sync/cdp":           2,
	"sync/courier":       2,
	"templates":          2,

	"internal/config":  3,
	"internal/control": 3,
	"internal/doctor":  3,
	"internal/setup":   3,
	"portal":           3,

	"internal/world":          3, // for tests and the demo, see TestHouse
	"internal/world/chromium": 3,

	"cmd/hien":        4,
	"cmd/hien-demo":   4,
	"cmd/hien-unseal": 4,
	"cmd/hien-verify": 4,

	"openwrt/openwrttest": 4, // holds the scripts beside it to what the house says
}

// homes says which rooms may import a library outside of tests; the longest
// prefix of an import path counts. A library without a home is for tests.
var homes = map[string][]string{
	"filippo.io/age":                           {"internal/backup"},
	"github.com/cenkalti/backoff/v5":           {"sync/courier"},
	"github.com/chromedp/cdproto":              {"internal/world/chromium"},
	"github.com/chromedp/chromedp":             {"internal/world/chromium"},
	"github.com/coreos/go-iptables":            {"firewall"},
	"github.com/google/go-cmp":                 {},
	"github.com/google/nftables":               {"firewall"},
	"github.com/gopacket/gopacket":             {"internal/presence"},
	"github.com/gorilla/mux":                   {"portal", "internal/control"},
	"github.com/hanwen/go-fuse/v2":             {},
	"github.com/insomniacslk/dhcp":             {},
	"github.com/mattn/go-sqlite3":              {"internal/sqlite"},
	"github.com/miekg/dns":                     {"internal/dns"},
	"github.com/ncruces/go-sqlite3":            {"internal/sqlite"},
	"github.com/nyaruka/phonenumbers":          {},
	"github.com/rogpeppe/go-internal":          {},
	"github.com/santhosh-tekuri/jsonschema/v6": {},
	"github.com/vishvananda/netlink":           {"firewall", "internal/doctor", "internal/presence", "internal/world"},
	"github.com/vishvananda/netns":             {"firewall", "internal/world"},
	"go.etcd.io/bbolt":                         {"internal/livebook"},
	"golang.org/x/net":                         {"internal/world"},
	"golang.org/x/net/dns":                     {"internal/doctor", "internal/world"},
	"golang.org/x/net/bpf":                     {"internal/presence"},
	"golang.org/x/sync":                        {"cmd/hien", "cmd/hien-demo"},
	"golang.org/x/term":                        {"cmd/hien-unseal"},
	"golang.org/x/time":                        {"cmd/hien", "internal/dns"},
	"golang.org/x/sys":                         {"cmd/hien", "cmd/hien-demo", "firewall", "internal/doctor", "internal/livebook", "internal/presence", "internal/world"},
	"pgregory.net/rapid":                       {},
	"rsc.io/qr":                                {"internal/qr"},
}

// A source is one Go file of the house.
type source struct {
	name    string // from the root, "portal/serve.go"
	room    string // "portal"
	test    bool
	file    *ast.File
	fset    *token.FileSet
	imports map[string]string // name in the file -> path
}

// at is a place in the source, for people.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.name, s.fset.Position(n.Pos()).Line)
}

func parseSource(name string, text any) (source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	s := source{name: name, room: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), file: file, fset: fset, imports: map[string]string{}}
	if s.room == "." {
		s.room = ""
	}
	for _, i := range file.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return source{}, err
		}
		as := path.Base(p)
		if i.Name != nil {
			as = i.Name.Name
		}
		s.imports[as+" "+p] = p // two imports may share a base
	}
	return s, nil
}

// named reports whether the expression is pkg.name of the imported package.
func (s source) named(e ast.Expr, pkg, name string) bool {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && s.imports[x.Name+" "+pkg] == pkg
}

// house parses every Go file; tools/ is a module of its own.
func house(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if base := d.Name(); base == "testdata" || base == "tools" || base == "bin" || base != "." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		s, err := parseSource(filepath.ToSlash(name), nil)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A rule looks at all sources and says what breaks it. Each comes with a file
// that breaks it, so that a rule that sees nothing is seen.
type rule struct {
	name   string
	check  func([]source) []string
	breaks map[string]string // file name -> text
}

func TestHouse(t *testing.T) {
	all := house(t)
	for _, r := range []rule{
		{"every room is on a floor and imports what is below it", onFloors, map[string]string{
			"internal/attic/a.go":    "package attic",
			"consent/a.go":           `package consent; import "github.com/hien-wifi/hien"`,
			"a.go":                   `package hien; import _ "github.com/hien-wifi/hien/firewall"`,
			"firewall/a.go":          `package firewall; import x "github.com/hien-wifi/hien/internal/livebook"`,
			"templates/a.go":         `package templates; import . "github.com/hien-wifi/hien/portal"`,
			"portal/a.go":            `package portal; import "github.com/hien-wifi/hien/internal/config"`,
			"sync/cdp/a.go":          `package cdp; import "github.com/hien-wifi/hien/sync/courier"`,
			"sync/a.go":              "package sync",
			"internal/uci/a.go":      "//go:build never\n\npackage uci\n" + `import "github.com/hien-wifi/hien/cmd/hien"`,
			"portal/a/b.go":          "package b",
			"internal/world/a.go":    `package world; import "github.com/hien-wifi/hien/portal"`,
			"internal/livebook/a.go": `package livebook; import "github.com/hien-wifi/hien/templates/vi"`,
		}},
		{"each library has its home", atHome, map[string]string{
			"portal/a.go":            `package portal; import "go.etcd.io/bbolt"`,
			"internal/presence/a.go": `package presence; import "golang.org/x/net/html"`,
			"firewall/a.go":          `package firewall; import "github.com/somebody/something"`,
			"cmd/hien/a.go":          `package main; import "github.com/google/go-cmp/cmp"`,
			"internal/sqlite/a.go":   `package sqlite; import "modernc.org/sqlite"`,
			"templates/a_test.go":    `package templates; import "github.com/stretchr/testify/assert"`,
			"consent/a.go":           `package consent; import "golang.org/x/text/language"`,
		}},
		{"only tests and the demo live in the world", worldApart, map[string]string{
			"cmd/hien/a.go": `package main; import "github.com/hien-wifi/hien/internal/world"`,
			"portal/a.go":   `package portal; import "github.com/hien-wifi/hien/internal/world"`,
			"portal/b.go":   `package portal; import "github.com/hien-wifi/hien/cmd/hien-demo"`,
		}},
		{"events and consents come back from the record alone", fromRecord, map[string]string{
			"portal/a.go":          `package portal; import "github.com/hien-wifi/hien"; var e, _ = hien.EventFromRecord()`,
			"tick2.go":             `package hien; var make = EventFromRecord`,
			"sync/courier/a.go":    `package courier; import c "github.com/hien-wifi/hien/consent"; var f = c.FromRecord`,
			"internal/sqlite/a.go": `package sqlite; import "github.com/hien-wifi/hien"; var w = hien.NewWithdrawal`,
			"internal/sqlite/b.go": `package sqlite; import "github.com/hien-wifi/hien"; var w = hien.NewErasure`,
			"cmd/hien/a.go":        `package main; import . "github.com/hien-wifi/hien"; func f() { NewWithdrawal() }`,
		}},
		{"nobody calls a shell", noShell, map[string]string{
			"firewall/a.go":           `package firewall; import "os/exec"; var c = exec.Command("/bin/sh", "-c", "x")`,
			"firewall/b.go":           `package firewall; import x "os/exec"; const s = "bash"; var c = x.Command(s)`,
			"internal/world/a.go":     `package world; import "syscall"; var e = syscall.Exec("/usr/bin/dash", nil, nil)`,
			"internal/otp/a_test.go":  `package otp; import "os"; var p, e = os.StartProcess("/bin/ash", nil, nil)`,
			"internal/livebook/a.go":  `package livebook; import "os/exec"; var c = exec.Command("busybox", "sh")`,
			"internal/presence/ab.go": "package presence; import \"os/exec\"; var c = exec.Command(`/bin/zsh`)",
		}},
		{"no test waits by sleeping", noSleep, map[string]string{
			"portal/a_test.go":    `package portal; import "time"; func f() { time.Sleep(1) }`,
			"firewall/a_test.go":  `package firewall; import t "time"; var sleep = t.Sleep`,
			"internal/world/a.go": `package world; import "time"; func f() { time.Sleep(1) }`,
		}},
		{"the C SQLite driver stands in files that are tagged cgo", taggedCgo, map[string]string{
			"internal/sqlite/a.go":      `package sqlite; import "github.com/mattn/go-sqlite3"`,
			"internal/sqlite/b.go":      "//go:build cgo || linux\n\npackage sqlite\nimport _ \"github.com/mattn/go-sqlite3\"",
			"internal/sqlite/a_test.go": "//go:build !cgo\n\npackage sqlite\nimport _ \"github.com/mattn/go-sqlite3\"",
		}},
		{"pages are compiled", noTemplates, map[string]string{
			"templates/a.go":  `package templates; import "html/template"`,
			"portal/a.go":     `package portal; import t "text/template"`,
			"internal/a/b.go": `package a; import "text/template/parse"`,
		}},
		{"what is written unescaped is made beside the pages", markupAtHome, map[string]string{
			"portal/a.go":   `package portal; import "github.com/hien-wifi/hien/templates"; var s = templates.SVG("<b>")`,
			"cmd/hien/a.go": `package main; import t "github.com/hien-wifi/hien/templates"; func f(s string) t.CSS { return t.CSS(s) }`,
		}},
		{"the access log knows nothing of people", logApart, map[string]string{
			"internal/accesslog/a.go": `package accesslog; import "github.com/hien-wifi/hien/consent"`,
			"internal/accesslog/b.go": `package accesslog; import "github.com/hien-wifi/hien"; var p hien.Phone`,
			"internal/accesslog/c.go": `package accesslog; import _ "github.com/hien-wifi/hien/internal/sqlite"`,
			"internal/sqlite/a.go":    `package sqlite; import "github.com/hien-wifi/hien/internal/accesslog"`,
			"portal/a.go":             `package portal; import "github.com/hien-wifi/hien/internal/accesslog"`,
		}},
		{"the house stands alone", standsAlone, map[string]string{
			"portal/a.go": "package portal // as ../shared" + "/DESIGN.md says",
		}},
	} {
		t.Run(r.name, func(t *testing.T) {
			for _, broken := range r.check(all) {
				t.Error(broken)
			}
			for name, text := range r.breaks {
				s, err := parseSource(name, text)
				if err != nil {
					t.Fatal(err)
				}
				found := slices.ContainsFunc(r.check(append(slices.Clone(all), s)), func(b string) bool { return strings.HasPrefix(b, name+":") })
				if !found {
					t.Errorf("the rule does not see that %s breaks it:\n%s", name, text)
				}
			}
		})
	}
}

// TestHouseIsDescribed holds that the tables of floors name every room, and the
// index of decisions every note.
func TestHouseIsDescribed(t *testing.T) {
	names := func(file string, all []string, form string) {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range all {
			if !strings.Contains(string(text), fmt.Sprintf(form, name)) {
				t.Errorf("%s does not name %s", file, name)
			}
		}
	}
	var rooms []string
	for _, room := range slices.Sorted(maps.Keys(floors)) {
		if room != "" && !strings.HasPrefix(room, "cmd/") && !strings.HasPrefix(room, "internal/world") && !strings.HasPrefix(room, "openwrt/") {
			rooms = append(rooms, room)
		}
	}
	names("CONTRIBUTING.md", rooms, "`%s`")
	names("docs/architecture.md", append(rooms, "cmd/hien", "cmd/hien-demo", "cmd/hien-unseal", "cmd/hien-verify", "internal/world"), "`%s`")
	notes, err := filepath.Glob("docs/decisions/[a-z]*.md")
	if err != nil || len(notes) < 8 {
		t.Fatalf("%d notes: %v", len(notes), err)
	}
	for i := range notes {
		notes[i] = filepath.Base(notes[i])
	}
	names("docs/decisions/README.md", notes, "(%s)")
}

// TestDependenciesHaveReasons holds that each direct dependency has a note in
// docs/decisions that names it.
func TestDependenciesHaveReasons(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	notes, err := filepath.Glob("docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var reasons strings.Builder
	for _, name := range notes {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		reasons.Write(text)
	}
	direct := directDependencies(string(mod))
	if len(direct) < 8 {
		t.Errorf("go.mod has %d direct dependencies, want all of them seen: %v", len(direct), direct)
	}
	for _, lib := range direct {
		if !strings.Contains(reasons.String(), lib) {
			t.Errorf("%s has no note in docs/decisions", lib)
		}
		if _, ok := library(lib); !ok && !slices.ContainsFunc(slices.Collect(maps.Keys(homes)), func(h string) bool { return strings.HasPrefix(h, lib+"/") }) {
			t.Errorf("%s has no home in house_test.go", lib)
		}
	}
	got := directDependencies("module m\nrequire a.example/b v1\nrequire (\n\tc.example/d v2\n\te.example/f v3 // indirect\n)\nrequire (\n\tg.example/h v4\n)\n")
	if want := []string{"a.example/b", "c.example/d", "g.example/h"}; !slices.Equal(got, want) {
		t.Errorf("direct dependencies: got %v, want %v", got, want)
	}
}

func directDependencies(mod string) (direct []string) {
	inside := false
	for line := range strings.Lines(mod) {
		line = strings.TrimSpace(line)
		one, single := strings.CutPrefix(line, "require ")
		switch {
		case line == "require (":
			inside = true
		case line == ")":
			inside = false
		case (inside || single) && !strings.HasSuffix(line, "// indirect") && line != "":
			direct = append(direct, strings.Fields(one)[0])
		}
	}
	return direct
}
