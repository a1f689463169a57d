package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryMachineIsBuiltByWhatLeadsToIt(t *testing.T) {
	user := []string{"PATH=/usr/bin", "GOFLAGS=-race", "GOARCH=wasm", "CGO_CFLAGS=-O3", "CFLAGS=-O3", "GOEXPERIMENT=x", "HOME=/root"}
	want := map[string][]string{
		"amd64":   {"GOARCH=amd64", "GOAMD64=v1", "CGO_ENABLED=1", "CGO_CFLAGS=" + cFlags},
		"arm64":   {"GOARCH=arm64", "CC=aarch64-linux-gnu-gcc", "CGO_ENABLED=1"},
		"armv7":   {"GOARCH=arm", "GOARM=7", "CC=arm-linux-gnueabihf-gcc"},
		"armv5":   {"GOARCH=arm", "GOARM=5", "CC=arm-linux-gnueabi-gcc"},
		"386":     {"GOARCH=386", "GO386=sse2", "CC=i686-linux-gnu-gcc"},
		"riscv64": {"GOARCH=riscv64", "CC=riscv64-linux-gnu-gcc"},
		"mipsle":  {"GOARCH=mipsle", "GOMIPS=softfloat", "CGO_ENABLED=0"},
		"mips":    {"GOARCH=mips", "GOMIPS=softfloat", "CGO_ENABLED=0"},
	}
	if len(want) != len(machines) {
		t.Errorf("%d machines are known to the test and %d to the program", len(want), len(machines))
	}
	for _, m := range machines {
		t.Run(m.name, func(t *testing.T) {
			env := environment(user, m, goCommand{cache: "/cache"})
			for _, kv := range append(want[m.name], "PATH=/usr/bin", "HOME=/root", "GOCACHE=/cache", "GOOS=linux",
				"GOFLAGS=-trimpath -buildvcs=false -mod=readonly", "GOEXPERIMENT=", "SOURCE_DATE_EPOCH="+defaultEpoch) {
				if !slices.Contains(env, kv) {
					t.Errorf("got %q, want %s in it", env, kv)
				}
			}
			seen := map[string]bool{}
			for _, kv := range env {
				name, _, _ := strings.Cut(kv, "=")
				if seen[name] || name == "CFLAGS" {
					t.Errorf("%s is there twice, or the user's own", name)
				}
				seen[name] = true
			}
		})
	}
}

func TestATimeThatIsGivenIsKept(t *testing.T) {
	env := environment([]string{"SOURCE_DATE_EPOCH=7"}, machines[0], goCommand{})
	if !slices.Contains(env, "SOURCE_DATE_EPOCH=7") || slices.Contains(env, "SOURCE_DATE_EPOCH="+defaultEpoch) {
		t.Errorf("got %q", env)
	}
}

func TestSQLiteIsTheTranslatedOneWhereNoCompilerLeads(t *testing.T) {
	j := job{tags: "a b", version: "1.2.3"}
	mips, arm := mustFind(t, "mips"), mustFind(t, "arm64")
	for _, c := range []struct{ got, want string }{
		{j.tagsFor(mips), "a b hien_wasm"},
		{j.tagsFor(arm), "a b"},
		{j.ldflags(mips, false), "-s -w -buildid= -X github.com/hien-wifi/hien.Version=1.2.3"},
		{j.ldflags(arm, false), "-s -w -buildid= -linkmode external -extldflags '" + ldFlags + "' -X github.com/hien-wifi/hien.Version=1.2.3"},
		{job{}.ldflags(mips, true), "-buildid="},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func mustFind(t *testing.T, name string) machine {
	t.Helper()
	m, err := findMachine(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMachinesAreGivenByName(t *testing.T) {
	for _, c := range []struct {
		given string
		want  int
		err   string
	}{
		{"", len(machines), ""},
		{"arm64", 1, ""},
		{"arm64, amd64 mips", 3, ""},
		{"vax", 0, `"vax" is none of amd64, arm64`},
	} {
		found, err := findMachines(c.given)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: got %v, want %q", c.given, err, c.err)
			}
			continue
		}
		if err != nil || len(found) != c.want {
			t.Errorf("%q: got %d machines, %v, want %d", c.given, len(found), err, c.want)
		}
	}
}

func TestTheCommandLineSaysWhatItWants(t *testing.T) {
	for _, args := range [][]string{nil, {"bake"}, {"build", "twice"}, {"-archs", "vax", "build"}} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out, &out); err == nil {
			t.Errorf("%q: got no error", args)
		}
	}
}

func TestSourcesAreCopiedAsGitKnowsThem(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "to")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(from, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("git", append([]string{"-C", from}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	write(".gitignore", "bin\n")
	write("cmd/main.go", "package main\n")
	write("gone.go", "package main\n")
	git("init", "-q")
	git("add", ".")
	write("cmd/new quán.go", "package main // not added\n")
	write("bin/hien", "built")
	if err := os.Remove(filepath.Join(from, "gone.go")); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(context.Background(), from, to); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(to, path)
			got = append(got, name)
		}
		return err
	})
	if want := []string{".gitignore", "cmd/main.go", "cmd/new quán.go"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestADifferenceIsShownWhereItBegins(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"the same, then /tmp/a", "the same, then /tmp/b", "from byte 20 on"},
		{"short", "shorter", "5 bytes and the other 7"},
	} {
		if got := difference([]byte(c.a), []byte(c.b)); !strings.Contains(got, c.want) {
			t.Errorf("%q and %q: got %q, want %q in it", c.a, c.b, got, c.want)
		}
	}
}

func TestASymbolBelongsToItsPackage(t *testing.T) {
	for symbol, want := range map[string]string{
		"github.com/hien-wifi/hien/internal/sqlite.(*Store).OptIn": "github.com/hien-wifi/hien/internal/sqlite",
		"net/http.(*conn).serve":                                   "net/http",
		"slices.SortFunc[go.shape.[]github.com/a/b.T]":             "slices",
		"gopkg%2ein/yaml%2ev3.Unmarshal":                           "gopkg.in/yaml.v3",
		"type:*net/http.Request":                                   "type:*net/http",
		"go:func.*":                                                "go:func",
		"main.main":                                                "main",
		"sqlite3VdbeExec":                                          "C (SQLite, libc)",
		".Lstr":                                                    "C (SQLite, libc)",
	} {
		if got := owner(symbol); got != want {
			t.Errorf("%s: got %q, want %q", symbol, got, want)
		}
	}
}

// program builds a small one, with its symbols: those of tests have none.
func program(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source, path := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"xin chào\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, source).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

func TestAProgramIsTakenApart(t *testing.T) {
	parts, err := partsOf(program(t))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	var last uint64 = 1 << 62
	for _, p := range parts {
		if names[p.name] || p.bytes > last {
			t.Errorf("%s with %d bytes stands twice, or behind a smaller one", p.name, p.bytes)
		}
		names[p.name], last = true, p.bytes
	}
	for _, want := range []string{"runtime", "fmt", "(.gopclntab)"} {
		if !names[want] {
			t.Errorf("%s is not among %d parts", want, len(parts))
		}
	}
}

func TestThePackageIsFoundInThePackagersTable(t *testing.T) {
	table := `                                    package         architecture  download  files as xz
    luci-app-hien_0.1.0-r1_all.ipk                  all      9120         8000
       hien_0.1.0-r1_x86_64.ipk               x86_64   6123456      4567890
                     hien-0.1.0-r1.apk               x86_64   6123000      4567890
`
	p, err := findPack(table)
	if want := (pack{"hien_0.1.0-r1_x86_64.ipk", 6123456, 4567890}); err != nil || p != want {
		t.Errorf("got %+v, %v, want %+v", p, err, want)
	}
	for _, wrong := range []string{"", "hien_1_x86_64.ipk x86_64 many few\n", "luci-app-hien_1_all.ipk all 1 1\n"} {
		if p, err := findPack(wrong); err == nil {
			t.Errorf("%q: got %+v, want an error", wrong, p)
		}
	}
}

func TestTheTableIsWrittenBetweenItsMarkers(t *testing.T) {
	rows := []row{
		{mustFind(t, "arm64"), weight{program: 16_000_000, download: 6_100_000, flash: 4_500_000, loaded: 16_000_000}, 0, crowd{}},
		{mustFind(t, "386"), weight{program: 15_500_000, download: 6_000_000, flash: 4_400_000, loaded: 15_000_000}, 15 << 20, crowd{16 << 20, 17 << 20}},
		{mustFind(t, "mips"), weight{program: 27_000_000, download: 8_000_000, flash: 6_000_000, loaded: 27_000_000}, 0, crowd{}},
	}
	document := "# Hardware\n\n<!-- written by: make hardware -->\nstale\n<!-- end -->\n\nbehind\n"
	once, err := replaceTable(strings.NewReader(document), table(rows))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Hardware\n", "behind\n",
		"| arm64 | MT7981", "| C | 16.00 MB | 6.10 MB | 4.50 MB | 16.00 MB | – | – |\n", "| 15.0 MiB | 16.0 MiB, at most 17.0 MiB |\n", "| Go | 27.00 MB |"} {
		if !strings.Contains(once, want) {
			t.Errorf("got\n%s\nwant %q in it", once, want)
		}
	}
	if strings.Contains(once, "stale") {
		t.Error("the old table is still there")
	}
	twice, err := replaceTable(strings.NewReader(once), table(rows))
	if err != nil || twice != once {
		t.Errorf("written again it is another document: %v", err)
	}
	for _, wrong := range []string{"", "<!-- end -->\n", "<!-- written by: make hardware -->\n"} {
		if _, err := replaceTable(strings.NewReader(wrong), ""); err == nil {
			t.Errorf("%q: got no error", wrong)
		}
	}
}

func TestAWeightIsThatOfTheFile(t *testing.T) {
	path := program(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := weigh(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	// What only debuggers read is in the file, and is not loaded.
	if w.program != info.Size() || w.download <= 0 || w.download >= w.program || w.flash <= 0 || w.flash >= w.download*11/10 || w.loaded < w.program/4 || w.loaded >= w.program {
		t.Errorf("got %+v", w)
	}
}
