package hien_test

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// roomOf is the room of an import path; false for another module's.
func roomOf(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// eachImport calls visit for every import of the sources.
func eachImport(all []source, visit func(s source, spec *ast.ImportSpec, importPath string)) {
	for _, s := range all {
		for _, spec := range s.file.Imports {
			importPath, _ := strconv.Unquote(spec.Path.Value) // parsed before
			visit(s, spec, importPath)
		}
	}
}

func onFloors(all []source) (broken []string) {
	met := make(map[string]bool)
	for _, s := range all {
		met[s.room] = true
		if _, ok := floors[s.room]; !ok && !s.test { // a folder of tests alone is no room
			broken = append(broken, fmt.Sprintf("%s: room %q is on no floor: enter it in house_test.go, or do without it", s.name, s.room))
		}
	}
	for room := range floors {
		if !met[room] {
			broken = append(broken, fmt.Sprintf("room %q is in house_test.go and has no Go file", room))
		}
	}
	eachImport(all, func(s source, spec *ast.ImportSpec, importPath string) {
		to, ours := roomOf(importPath)
		if !ours || s.test {
			return // an external test may bring the whole house together
		}
		if below, ok := floors[to]; !ok || below >= floors[s.room] {
			broken = append(broken, fmt.Sprintf("%s: %q imports %q: want a room on a floor below %d", s.at(spec), s.room, to, floors[s.room]))
		}
	})
	return broken
}

// foreign reports whether an import path belongs to another module: the
// standard library's first element has no dot.
func foreign(importPath string) bool {
	_, ours := roomOf(importPath)
	first, _, _ := strings.Cut(importPath, "/")
	return !ours && strings.Contains(first, ".")
}

// library is the entry of homes that an import path belongs to.
func library(importPath string) (lib string, ok bool) {
	for prefix := range homes {
		if (importPath == prefix || strings.HasPrefix(importPath, prefix+"/")) && len(prefix) > len(lib) {
			lib, ok = prefix, true
		}
	}
	return lib, ok
}

func atHome(all []source) (broken []string) {
	met := make(map[string]bool)
	eachImport(all, func(s source, spec *ast.ImportSpec, importPath string) {
		if !foreign(importPath) {
			return
		}
		lib, known := library(importPath)
		met[lib] = true
		switch {
		case !known:
			broken = append(broken, fmt.Sprintf("%s: %s has no home: enter it in house_test.go and write its note in docs/decisions, or do without it", s.at(spec), importPath))
		case !s.test && !slices.Contains(homes[lib], s.room):
			broken = append(broken, fmt.Sprintf("%s: %s lives in %q, not in %q", s.at(spec), importPath, homes[lib], s.room))
		}
	})
	for lib := range homes {
		if !met[lib] {
			broken = append(broken, fmt.Sprintf("%s is in house_test.go and nobody imports it: remove it, with its note in docs/decisions", lib))
		}
	}
	return broken
}

// worldApart holds that what is shipped never links internal/world: nobody
// but the demo imports it, and nobody imports a command.
func worldApart(all []source) (broken []string) {
	eachImport(all, func(s source, spec *ast.ImportSpec, importPath string) {
		to, ours := roomOf(importPath)
		switch {
		case !ours || s.test:
		case to == "internal/world" && s.room != "cmd/hien-demo", strings.HasPrefix(to, "cmd/"):
			broken = append(broken, fmt.Sprintf("%s: %q imports %q", s.at(spec), s.room, to))
		}
	})
	reached, todo := map[string]bool{}, []string{"cmd/hien"}
	for len(todo) > 0 {
		room := todo[0]
		todo = todo[1:]
		if reached[room] {
			continue
		}
		reached[room] = true
		eachImport(all, func(s source, spec *ast.ImportSpec, importPath string) {
			if to, ours := roomOf(importPath); ours && !s.test && s.room == room {
				if todo = append(todo, to); to == "internal/world" {
					broken = append(broken, fmt.Sprintf("%s: cmd/hien reaches internal/world", s.at(spec)))
				}
			}
		})
	}
	return broken
}

// fromRecord holds the two ways round a consent to their one user: an event
// or a consent that was not just given is made of what the record holds; and
// a withdrawal begins in the gateway. Tests may make what they need.
func fromRecord(all []source) (broken []string) {
	allowed := map[string]string{"EventFromRecord": "internal/sqlite", "FromRecord": "internal/sqlite", "NewWithdrawal": "", "NewErasure": ""}
	for _, s := range all {
		if s.test {
			continue
		}
		declared := map[*ast.Ident]bool{}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				declared[f.Name] = true
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok || declared[id] {
				return true
			}
			if room, held := allowed[id.Name]; held && s.room != room {
				broken = append(broken, fmt.Sprintf("%s: %s is for %q alone", s.at(id), id.Name, room))
			}
			return true
		})
	}
	return broken
}

// noShell holds that no file that starts processes names a shell.
func noShell(all []source) (broken []string) {
	shells := []string{"sh", "ash", "bash", "dash", "ksh", "zsh"}
	for _, s := range all {
		if !startsProcesses(s) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(lit.Value); err == nil && slices.Contains(shells, path.Base(text)) {
				broken = append(broken, fmt.Sprintf("%s: %s is a shell: start the program itself, with an argument vector", s.at(lit), lit.Value))
			}
			return true
		})
	}
	return broken
}

func startsProcesses(s source) (starts bool) {
	if slices.Contains(slices.Collect(maps.Values(s.imports)), "os/exec") {
		return true
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok {
			starts = starts || s.named(e, "os", "StartProcess") || s.named(e, "syscall", "Exec") ||
				s.named(e, "syscall", "ForkExec") || s.named(e, "golang.org/x/sys/unix", "Exec")
		}
		return true
	})
	return starts
}

// noSleep holds that no test, and nothing that is made for tests, sleeps.
// In a synctest bubble the clock is not the real one and nobody waits.
func noSleep(all []source) (broken []string) {
	for _, s := range all {
		if !s.test && s.room != "internal/world" && s.room != "cmd/hien-demo" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && s.named(call.Fun, "testing/synctest", "Test") {
				return false
			}
			if e, ok := n.(ast.Expr); ok && s.named(e, "time", "Sleep") {
				broken = append(broken, fmt.Sprintf("%s: time.Sleep: wait for what is to happen, or test in a synctest bubble", s.at(e)))
			}
			return true
		})
	}
	return broken
}

// taggedCgo holds that everything but the driver can be looked at without a
// C compiler: `make check` vets for other machines that way.
func taggedCgo(all []source) (broken []string) {
	eachImport(all, func(s source, spec *ast.ImportSpec, importPath string) {
		if importPath != "github.com/mattn/go-sqlite3" {
			return
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if x, err := constraint.Parse(c.Text); err == nil && !x.Eval(func(tag string) bool { return tag != "cgo" }) && x.Eval(func(tag string) bool { return tag == "cgo" }) {
					return // it wants cgo
				}
			}
		}
		broken = append(broken, fmt.Sprintf("%s: the driver in a file without //go:build cgo", s.at(spec)))
	})
	return broken
}

// noTemplates holds that html/template stays with the tests: with it the
// linker keeps every exported method, a seventh of the program. What a
// library brings along is seen by a test of cmd/hien. hien-unseal, which is
// never on a router, may print its paper with it.
func noTemplates(all []source) (broken []string) {
	eachImport(all, func(s source, spec *ast.ImportSpec, importPath string) {
		if !s.test && s.room != "cmd/hien-unseal" && (importPath == "html/template" || importPath == "text/template" || strings.HasPrefix(importPath, "text/template/")) {
			broken = append(broken, fmt.Sprintf("%s: %s: pages are compiled by go test ./templates -update", s.at(spec), importPath))
		}
	})
	return broken
}

// markupAtHome holds that what is written unescaped is made beside the pages,
// where it can be seen that it is ours.
func markupAtHome(all []source) (broken []string) {
	for _, s := range all {
		if s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok && (s.named(e, module+"/templates", "SVG") || s.named(e, module+"/templates", "CSS")) {
				broken = append(broken, fmt.Sprintf("%s: what is written unescaped is made in templates alone", s.at(e)))
			}
			return true
		})
	}
	return broken
}

// logApart holds that the access log and marketing never meet (R-LOG-1,
// R-LOG-2): the log imports nothing of the house but the root, and names
// nothing of it that knows a person, a purpose or a name that was asked for;
// and nobody but the one who wires it, and the tool that opens it, imports it.
func logApart(all []source) (broken []string) {
	const room = "internal/accesslog"
	eachImport(all, func(s source, spec *ast.ImportSpec, importPath string) {
		to, ours := roomOf(importPath)
		switch {
		case !ours || s.test:
		case s.room == room && to != "":
			broken = append(broken, fmt.Sprintf("%s: the access log imports %q", s.at(spec), to))
		case to == room && s.room != "cmd/hien" && s.room != "cmd/hien-unseal":
			broken = append(broken, fmt.Sprintf("%s: %q imports the access log", s.at(spec), s.room))
		}
	})
	for _, s := range all {
		if s.room != room || s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			for _, name := range []string{"Phone", "LeadKey", "BrandKey", "BrandKeys", "SealedPhone", "Member", "Record", "Mark", "Event", "Guest", "Form", "Zone", "Gateway"} {
				if ok && s.named(e, module, name) {
					broken = append(broken, fmt.Sprintf("%s: the access log knows hien.%s", s.at(e), name))
				}
			}
			return true
		})
	}
	return broken
}

// standsAlone holds that nothing in the sources speaks of places that are not
// in the repository.
func standsAlone(all []source) (broken []string) {
	for _, s := range all {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if strings.Contains(c.Text, "../shared"+"/") || strings.Contains(c.Text, "/work"+"/") {
					broken = append(broken, fmt.Sprintf("%s: a comment speaks of a place outside of the repository", s.at(c)))
				}
			}
		}
	}
	return broken
}
