package hien_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// requirements are the numbers that docs/privacy.md must have a row for.
var requirements = map[string]int{"R-CON-": 11, "R-RGT-": 8, "R-MKT-": 8, "R-CHILD-": 3, "R-LOG-": 6}

// TestEveryRequirementHasItsRow holds the table of docs/privacy.md to what is
// there: each number once, each path a file or folder, each test one that runs;
// and where the code is not there, a reason.
func TestEveryRequirementHasItsRow(t *testing.T) {
	text, err := os.ReadFile("docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	rows := make(map[string]bool)
	for _, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| R-") {
			continue
		}
		if len(cells) != 4 {
			t.Errorf("%s: %d cells; want 4: %s", cells[0], len(cells), line)
			continue
		}
		number, where, heldBy := cells[0], cells[2], cells[3]
		if rows[number] {
			t.Errorf("%s has two rows", number)
		}
		rows[number] = true
		paths, names := quoted(where), quoted(heldBy)
		if len(paths) == 0 && len(names) == 0 && len(heldBy) > 20 {
			continue // not there, and why
		}
		if len(paths) == 0 || len(names) == 0 {
			t.Errorf("%s: %d places and %d tests; want some of both, or a reason", number, len(paths), len(names))
		}
		for _, path := range paths {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: %v", number, err)
			}
		}
		for _, name := range names {
			if !tests[name] {
				t.Errorf("%s: there is no test %s", number, name)
			}
		}
	}
	for family, n := range requirements {
		for i := range n {
			if number := fmt.Sprintf("%s%d", family, i+1); !rows[number] {
				t.Errorf("%s has no row", number)
			}
		}
	}
}

var inBackquotes = regexp.MustCompile("`([^`]+)`")

func quoted(cell string) (words []string) {
	for _, m := range inBackquotes.FindAllStringSubmatch(cell, -1) {
		words = append(words, m[1])
	}
	return words
}

// testNames are the names of all tests of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
