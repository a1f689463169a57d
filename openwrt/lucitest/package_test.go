package lucitest

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
)

// maxInstalled is how much of the flash the pages may take.
const maxInstalled = 64_000

func TestPackageIsSmallAndWhole(t *testing.T) {
	size := 0
	for _, dir := range []string{"htdocs", "root"} {
		err := filepath.WalkDir(filepath.Join(app, dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			size += int(info.Size())
			if runs, want := info.Mode().Perm()&0o111 != 0, strings.Contains(name, "/libexec/"); runs != want {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
			if strings.HasSuffix(name, ".json") {
				var v map[string]any
				text, err := os.ReadFile(name)
				if err == nil {
					err = json.Unmarshal(text, &v)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d bytes", size)
	if size > maxInstalled {
		t.Errorf("the package takes %d bytes of flash: want at most %d", size, maxInstalled)
	}
}

// TestMenuLeadsToViews holds that each entry of the menu leads to a view that
// is there, and that none shows without the right to see it.
func TestMenuLeadsToViews(t *testing.T) {
	var menu map[string]struct {
		Title   string
		Action  struct{ Type, Path string }
		Depends struct{ ACL []string }
	}
	if err := json.Unmarshal([]byte(read(t, menuFile)), &menu); err != nil {
		t.Fatal(err)
	}
	views := 0
	for entry, m := range menu {
		switch m.Action.Type {
		case "firstchild":
			if !slices.Equal(m.Depends.ACL, []string{"luci-app-hien"}) {
				t.Errorf("%s depends on %q", entry, m.Depends.ACL)
			}
		case "view":
			views++
			read(t, filepath.Join("htdocs/luci-static/resources/view", m.Action.Path+".js"))
			if _, ok := menu["admin/services/hien"]; !ok || !strings.HasPrefix(entry, "admin/services/hien/") {
				t.Errorf("%s is not beneath the entry that has the right", entry)
			}
		default:
			t.Errorf("%s is a %q", entry, m.Action.Type)
		}
	}
	if views != 3 {
		t.Errorf("the menu leads to %d views, want 3", views)
	}
}

// TestBuildersAgree holds the feed's Makefile and the packager's label to one
// another.
func TestBuildersAgree(t *testing.T) {
	var label struct {
		Name, License, URL, Maintainer string
		Depends                        []string
	}
	if err := json.Unmarshal([]byte(read(t, "package.json")), &label); err != nil {
		t.Fatal(err)
	}
	makefile := read(t, "Makefile")
	variable := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `:=(.*)$`).FindStringSubmatch(makefile)
		if m == nil {
			t.Errorf("the Makefile has no %s", name)
			return ""
		}
		return m[1]
	}
	for name, want := range map[string]string{
		"PKG_VERSION": strings.TrimSuffix(hien.Version, "-dev"), "PKG_LICENSE": label.License, "PKG_MAINTAINER": label.Maintainer, "LUCI_URL": label.URL,
		"LUCI_DEPENDS": "+" + strings.Join(label.Depends, " +"), "LUCI_PKGARCH": "all",
	} {
		if got := variable(name); got != want {
			t.Errorf("%s is %q in the Makefile, %q in package.json", name, got, want)
		}
	}
	if label.Name != "luci-app-hien" {
		t.Errorf("the package is called %q", label.Name)
	}
}
