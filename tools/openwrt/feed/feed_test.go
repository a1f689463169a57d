package feed_test

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/tools/openwrt/feed"
	"github.com/hien-wifi/hien/tools/openwrt/ipk"
	"github.com/hien-wifi/hien/tools/openwrt/usign"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func packages() []ipk.Package {
	return []ipk.Package{
		{Filename: "luci-app-hien_1_all.ipk", Bytes: []byte("pages"), Control: "Package: luci-app-hien\nArchitecture: all\nDescription: Pages\n"},
		{Filename: "hien_1_x86_64.ipk", Bytes: []byte("a package"), Control: "Package: hien\nArchitecture: x86_64\nInstalled-Size: 7\nDescription: A porch\n .\n Of several lines.\n"},
	}
}

func TestOpkg(t *testing.T) {
	text, err := os.ReadFile("../testdata/opkg.sec")
	if err != nil {
		t.Fatal(err)
	}
	key, err := usign.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	files, err := feed.Opkg(packages(), key)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 3 {
		t.Errorf("%d files, want 3", len(files))
	}
	for _, name := range []string{"Packages", "Packages.sig"} {
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, files[name], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(files[name], want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, files[name], want)
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(files["Packages.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, files["Packages"]) {
		t.Errorf("Packages.gz holds %q and %v, want Packages", plain, err)
	}

	// opkg unpacks Packages.gz and asks usign; Debian's signify stands for it.
	dir := t.TempDir()
	for name, b := range map[string][]byte{"key": key.Public(), "Packages": files["Packages"], "Packages.sig": files["Packages.sig"]} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func() error {
		cmd := exec.Command("signify-openbsd", "-V", "-p", "key", "-m", "Packages")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		t.Logf("signify-openbsd: %s", out)
		return err
	}
	if err := verify(); err != nil {
		t.Error(err)
	}
	changed := bytes.Clone(files["Packages"])
	changed[len(changed)/2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "Packages"), changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := verify(); err == nil {
		t.Error("a changed byte was not seen")
	}
}

func TestOpkgRefuses(t *testing.T) {
	key, err := usign.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	twice := append(packages(), packages()[0])
	if _, err := feed.Opkg(twice, key); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a package twice: got %v, want an error", err)
	}
	if _, err := feed.Opkg([]ipk.Package{{Filename: "x.ipk", Control: "Package: x\n"}}, key); err == nil || !strings.Contains(err.Error(), "description") {
		t.Errorf("no description: got %v, want an error", err)
	}
}

func TestApkKeys(t *testing.T) {
	key, err := feed.NewApkKey()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := feed.ApkKeySecret(key)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := feed.ParseApkKey(secret); err != nil || !back.Equal(key) {
		t.Errorf("our own: %v", err)
	}
	public, err := feed.ApkKeyPublic(key)
	if err != nil {
		t.Fatal(err)
	}
	// openssl makes the same public key of the secret one.
	cmd := exec.Command("openssl", "ec", "-pubout")
	cmd.Stdin = bytes.NewReader(secret)
	if out, err := cmd.Output(); err != nil || !bytes.Equal(out, public) {
		t.Errorf("openssl ec -pubout: %v\n%s\nwant\n%s", err, out, public)
	}
	// As OpenWrt's build makes its key, and as openssl does by itself.
	for _, args := range [][]string{
		{"ecparam", "-name", "prime256v1", "-genkey", "-noout"},
		{"ecparam", "-name", "prime256v1", "-genkey"},
		{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
	} {
		out, err := exec.Command("openssl", args...).Output()
		if err != nil {
			t.Fatalf("openssl %v: %v", args, err)
		}
		if k, err := feed.ParseApkKey(out); err != nil || k.Curve != elliptic.P256() {
			t.Errorf("openssl %v: %v", args, err)
		}
	}
}

func TestParseApkKeyRefuses(t *testing.T) {
	marshal := func(kind string, der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der384, err384 := x509.MarshalECPrivateKey(p384)
	derRSA, errRSA := x509.MarshalPKCS8PrivateKey(rsaKey)
	for name, in := range map[string][]byte{
		"nothing":       nil,
		"no PEM":        []byte("key"),
		"another curve": marshal("EC PRIVATE KEY", der384, err384),
		"RSA":           marshal("PRIVATE KEY", derRSA, errRSA),
		"a broken key":  marshal("EC PRIVATE KEY", []byte{1, 2}, nil),
		"a public key":  marshal("PUBLIC KEY", []byte{1, 2}, nil),
	} {
		if _, err := feed.ParseApkKey(in); err == nil {
			t.Errorf("%s was taken, want an error", name)
		}
	}
}
