package config

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
)

// checked loads a good configuration whose files are in a directory of the
// test, after change edited it, and answers what Check says with the
// directory written as DIR.
func checked(t *testing.T, change func(dir string, text *string)) (warnings, errors []string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewTLSServer(nil)
	server.Close()
	write("brand.key", hien.NewBrandKey(1).Reveal()+"\n")
	write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	text := strings.NewReplacer("/srv/hien", dir+"/data", "/var/run/hien", dir+"/run", "/etc/hien", dir).Replace(shop(t))
	change(dir, &text)
	write("hien", text)
	if mode := modeOf[t.Name()]; mode != 0 {
		for _, name := range []string{"hien", "brand.key"} {
			if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, err := Load(filepath.Join(dir, "hien"))
	if err != nil {
		t.Fatal(err)
	}
	warnings, err = c.Check()
	for i := range warnings {
		warnings[i] = strings.ReplaceAll(warnings[i], dir, "DIR")
	}
	if err != nil {
		errors = strings.Split(strings.ReplaceAll(err.Error(), dir, "DIR"), "\n")
	}
	return warnings, errors
}

var modeOf = map[string]os.FileMode{"TestCheck/secrets_that_others_may_read": 0o644}

func TestCheck(t *testing.T) {
	const trial = "DIR/hien:17: zone guest asks for numbers and the sender only writes codes into the log: for trials only"
	for _, c := range []struct {
		name             string
		change           func(dir string, text *string)
		warnings, errors []string
	}{
		{"a good configuration with a sender for trials", func(string, *string) {}, []string{trial}, nil},
		{"no brand key",
			func(dir string, _ *string) { os.Remove(dir + "/brand.key") }, []string{trial},
			[]string{"DIR/hien:8: there is no brand key at DIR/brand.key, and a number is asked: run `hien keygen`, or copy the brand's key there"}},
		{"no brand key, and no number is asked",
			func(dir string, text *string) {
				os.Remove(dir + "/brand.key")
				*text = strings.Replace(*text, "config sender 'code'\n\toption type 'log'\n", "", 1)
			}, nil, nil},
		{"a brand key that is none",
			func(dir string, _ *string) { os.WriteFile(dir+"/brand.key", []byte("k1:0123"), 0o600) }, []string{trial},
			[]string{"DIR/hien:8: brand key DIR/brand.key: not a brand key: want k<version>:<64 hex digits>, as `hien keygen` makes it"}},
		{"certificates that are none",
			func(dir string, _ *string) { os.WriteFile(dir+"/ca.pem", []byte("hello"), 0o600) }, []string{trial},
			[]string{"DIR/hien:31: ca_file DIR/ca.pem: no certificate in it: want PEM, beginning with -----BEGIN CERTIFICATE-----"}},
		{"no certificates, and a file where a directory should be, in the order of lines",
			func(dir string, _ *string) { os.Remove(dir + "/ca.pem"); os.WriteFile(dir+"/data", nil, 0o600) }, []string{trial},
			[]string{"DIR/hien:6: DIR/data is no directory: want one, or a path at which one can be made",
				"DIR/hien:31: read certificates of sink cdp: open DIR/ca.pem: no such file or directory"}},
		{"secrets that others may read", func(string, *string) {},
			[]string{"DIR/hien:8: others may read DIR/brand.key (mode 0644): run `chmod 600 DIR/brand.key`",
				"DIR/hien:32: others may read the write key (mode 0644): run `chmod 600 DIR/hien`", trial}, nil},
		{"a pass for trials",
			func(_ string, text *string) { *text = strings.Replace(*text, "'4h'", "'20s'", 1) },
			[]string{trial, "DIR/hien:14: a pass of 20s: for trials only"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			warnings, errors := checked(t, c.change)
			if d := cmp.Diff(c.warnings, warnings); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.errors, errors); d != "" {
				t.Errorf("errors (-want +got):\n%s", d)
			}
		})
	}
}

func TestLoadWithoutAFile(t *testing.T) {
	_, err := Load("testdata/none.uci")
	if want := "open configuration: open testdata/none.uci: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
