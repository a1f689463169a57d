package lucitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The package's words. The catalogue that LuCI reads comes with the package:
// a feed that builds it makes luci-i18n-hien-vi besides, under another name.
const (
	template   = "po/templates/hien.pot"
	vietnamese = "po/vi/hien.po"
	catalogue  = "root/usr/lib/lua/luci/i18n/luci-app-hien.vi.lmo"
)

var marked = regexp.MustCompile(`\b_\('((?:[^'\\]|\\.)*)'\)`)

// phrases are all texts that the package shows, with the files in which they
// stand, as LuCI's own scanner finds them: _('…') in scripts, titles of the
// menu, descriptions of the ACL.
func phrases(t testing.TB) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	add := func(text, file string) {
		if !slices.Contains(all[text], file) {
			all[text] = append(all[text], file)
		}
	}
	files := scripts(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		found := marked.FindAllStringSubmatch(files[name], -1)
		if calls := strings.Count(files[name], "_("); calls != len(found)+strings.Count(files[name], "_(deed)")+strings.Count(files[name], "_(sentence)") {
			t.Errorf("%s calls _() %d times, of which %d with a plain text", name, calls, len(found))
		}
		for _, m := range found {
			add(strings.ReplaceAll(m[1], `\'`, "'"), name)
		}
	}
	var menu map[string]struct{ Title string }
	if err := json.Unmarshal([]byte(read(t, menuFile)), &menu); err != nil {
		t.Fatal(err)
	}
	for _, entry := range slices.Sorted(maps.Keys(menu)) {
		add(menu[entry].Title, menuFile)
	}
	var rights acl
	if err := json.Unmarshal([]byte(read(t, aclFile)), &rights); err != nil {
		t.Fatal(err)
	}
	for _, group := range rights {
		add(group.Description, aclFile)
	}
	return all
}

const menuFile = "root/usr/share/luci/menu.d/luci-app-hien.json"

func TestEveryTextHasItsVietnamese(t *testing.T) {
	all := phrases(t)
	if *update {
		var b strings.Builder
		b.WriteString("msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\"\n")
		for _, text := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&b, "\n#: %s\nmsgid %s\nmsgstr \"\"\n", strings.Join(all[text], "\n#: "), quote(text))
		}
		write(t, template, []byte(b.String()))
	}
	_, entries := readPO(t, read(t, template))
	for _, m := range entries {
		if files, ok := all[m.id]; !ok || !slices.Equal(m.refs, files) || m.str != "" {
			t.Errorf("the template has %q of %s: want it of %s (go test -update writes it)", m.id, m.refs, files)
		}
	}
	if len(entries) != len(all) {
		t.Errorf("the template has %d texts: want %d (go test -update writes it)", len(entries), len(all))
	}
	head, entries := readPO(t, read(t, vietnamese))
	if !strings.Contains(head, "charset=UTF-8") {
		t.Errorf("the head of the catalogue is %q", head)
	}
	translated := make(map[string]string)
	for _, m := range entries {
		if _, ok := all[m.id]; !ok {
			t.Errorf("nobody shows %q", m.id)
		}
		if _, twice := translated[m.id]; twice {
			t.Errorf("%q is translated twice", m.id)
		}
		translated[m.id] = m.str
	}
	for text := range all {
		str := translated[text]
		switch {
		case str == "":
			t.Errorf("there is no Vietnamese for %q", text)
		case strings.ContainsAny(text+str, "\\\n\t") || strings.Join(strings.Fields(text), " ") != text:
			t.Errorf("%q: LuCI finds no text with escapes or double blanks", text)
		case strings.Count(str, "%d") != strings.Count(text, "%d") || strings.Count(str, "%s") > strings.Count(text, "%s"):
			t.Errorf("%q has other places to fill in than %q", str, text)
		case strings.Contains(str, "!") || strings.Contains(str, "ẩn danh"):
			t.Errorf("%q: no exclamation marks, and nothing here is anonymous", str)
		}
	}
}

// TestCatalogueIsCompiled holds what LuCI reads to the catalogue.
func TestCatalogueIsCompiled(t *testing.T) {
	_, entries := readPO(t, read(t, vietnamese))
	want := compile(entries)
	if *update {
		write(t, catalogue, want)
	}
	if read(t, catalogue) != string(want) {
		t.Errorf("%s is not what %s makes: go test -update writes it", catalogue, vietnamese)
	}
	seen := make(map[uint32]string)
	for _, m := range entries {
		if other, twice := seen[hash(m.id)]; twice {
			t.Errorf("%q and %q have the same hash", m.id, other)
		}
		seen[hash(m.id)] = m.id
	}
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func write(t testing.TB, name string, text []byte) {
	t.Helper()
	name = filepath.Join(app, name)
	err := os.MkdirAll(filepath.Dir(name), 0o755)
	if err == nil {
		err = os.WriteFile(name, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
