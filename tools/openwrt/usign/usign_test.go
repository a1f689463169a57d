package usign_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/tools/openwrt/usign"
)

// signify is Debian's, the reference for what usign does.
func signify(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("signify-openbsd"); err != nil {
		t.Fatalf("%v: install Debian's signify-openbsd", err)
	}
	out, err := exec.Command("signify-openbsd", args...).CombinedOutput()
	return string(out), err
}

func put(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func newKey(t *testing.T) usign.Key {
	t.Helper()
	k, err := usign.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSignifyVerifiesWhatWeSign(t *testing.T) {
	dir, k := t.TempDir(), newKey(t)
	message := []byte("Package: hien\nVersion: 1\n")
	signature := k.Sign(message)
	pub, file, sig := put(t, dir, "key.pub", k.Public()), put(t, dir, "Packages", message), put(t, dir, "Packages.sig", signature)
	verify := func() (string, error) { return signify(t, "-V", "-p", pub, "-m", file, "-x", sig) }
	if out, err := verify(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for i := range message {
		changed := bytes.Clone(message)
		changed[i] ^= 1
		put(t, dir, "Packages", changed)
		if out, err := verify(); err == nil {
			t.Errorf("with the byte %d another it is taken: %s", i, out)
		}
	}
	put(t, dir, "Packages", message)
	head, body, _ := strings.Cut(string(signature), "\n")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(body))
	if err != nil || len(raw) != 2+8+64 || string(raw[:2]) != "Ed" {
		t.Fatalf("the signature is %q, want Ed, eight bytes and 64", raw)
	}
	for _, i := range []int{0, 2, 9, 10, 40, 73} {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		put(t, dir, "Packages.sig", []byte(head+"\n"+base64.StdEncoding.EncodeToString(changed)+"\n"))
		if out, err := verify(); err == nil {
			t.Errorf("with the signature's byte %d another it is taken: %s", i, out)
		}
	}
	put(t, dir, "Packages.sig", signature)
	put(t, dir, "key.pub", newKey(t).Public())
	if out, err := verify(); err == nil {
		t.Errorf("by another key it is taken: %s", out)
	}
}

// Keys go both ways: signify signs with ours, we sign with its.
func TestKeysAreSignifys(t *testing.T) {
	dir, k := t.TempDir(), newKey(t)
	message := []byte("a feed\n")
	file := put(t, dir, "m", message)
	sec, pub, sig := put(t, dir, "ours.sec", k.Secret()), put(t, dir, "ours.pub", k.Public()), filepath.Join(dir, "sig")
	if out, err := signify(t, "-S", "-s", sec, "-m", file, "-x", sig); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := signify(t, "-V", "-p", pub, "-m", file, "-x", sig); err != nil {
		t.Errorf("%v %s", err, out)
	}
	theirs := filepath.Join(dir, "theirs.sec")
	if out, err := signify(t, "-G", "-n", "-p", filepath.Join(dir, "theirs.pub"), "-s", theirs); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	text, err := os.ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	their, err := usign.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "sig", their.Sign(message))
	if out, err := signify(t, "-V", "-p", filepath.Join(dir, "theirs.pub"), "-m", file, "-x", sig); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

func TestKeysComeBack(t *testing.T) {
	k := newKey(t)
	back, err := usign.ParseSecret(k.Secret())
	if err != nil {
		t.Fatal(err)
	}
	if back.Fingerprint() != k.Fingerprint() || !bytes.Equal(back.Public(), k.Public()) || !bytes.Equal(back.Sign([]byte("a")), k.Sign([]byte("a"))) {
		t.Errorf("got the key %s, want %s", back.Fingerprint(), k.Fingerprint())
	}
	if len(k.Fingerprint()) != 16 || strings.ToLower(k.Fingerprint()) != k.Fingerprint() {
		t.Errorf("the fingerprint is %s, want sixteen small hexadecimal digits", k.Fingerprint())
	}
	if !strings.Contains(string(k.Public()), "untrusted comment: public key "+k.Fingerprint()+"\n") {
		t.Errorf("the public key is %s, want its fingerprint in the comment", k.Public())
	}
	if other := newKey(t); other.Fingerprint() == k.Fingerprint() || bytes.Equal(other.Public(), k.Public()) {
		t.Error("two keys are the same")
	}
}

func TestParseSecretRefuses(t *testing.T) {
	head, body, _ := strings.Cut(string(newKey(t).Secret()), "\n")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(body))
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int) []byte {
		b := bytes.Clone(raw)
		b[at] ^= 1
		return []byte(head + "\n" + base64.StdEncoding.EncodeToString(b) + "\n")
	}
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "no secret key"},
		{"a public key", newKey(t).Public(), "no secret key"},
		{"no comment", []byte(body), "no secret key"},
		{"no base64", []byte(head + "\n!!!\n"), "no secret key"},
		{"another algorithm", change(0), "no secret key"},
		{"another derivation", change(2), "no secret key"},
		{"a password", change(7), "password"},
		{"a damaged check", change(24), "damaged"},
		{"a damaged seed", change(40), "damaged"},
		{"a damaged public half", change(103), "damaged"},
	} {
		if k, err := usign.ParseSecret(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v and %v, want an error with %q", c.name, k.Fingerprint(), err, c.want)
		}
	}
}

func FuzzParseSecret(f *testing.F) {
	k, err := usign.NewKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Secret())
	f.Add(k.Public())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := usign.ParseSecret(b)
		if err != nil {
			return
		}
		if back, err := usign.ParseSecret(k.Secret()); err != nil || back.Fingerprint() != k.Fingerprint() {
			t.Errorf("the key %s came back as %s and %v", k.Fingerprint(), back.Fingerprint(), err)
		}
	})
}
