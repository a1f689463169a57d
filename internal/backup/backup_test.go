package backup

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func newIdentity(t testing.TB) Identity {
	t.Helper()
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// contents are a made-up router's, with a record of n bytes.
func contents(n int) Contents {
	record := bytes.Repeat([]byte("SQLite format 3 "), n/16+1)[:n]
	return Contents{Config: []byte("config hien 'main'\n"), BrandKey: []byte("k1:00\n"), RouterKey: []byte("0102\n"), Record: bytes.NewReader(record),
		Manifest: Manifest{Version: "test", Store: "hcm-q1-01", Made: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), InStep: true,
			Key: "0a1b2c3d4e5f6071", Seq: 12, Hash: consent.Hash{1, 2}, Record: int64(n)}}
}

func written(t testing.TB, to Recipient, c Contents) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, to, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads a backup whole.
func read(b []byte, id Identity) (*Backup, []byte, error) {
	got, err := Open(bytes.NewReader(b), id)
	if err != nil {
		return nil, nil, err
	}
	record, err := io.ReadAll(got.Record)
	return got, record, errors.Join(err, got.End())
}

func TestABackupComesBackWhole(t *testing.T) {
	id := newIdentity(t)
	for _, n := range []int{0, 512, 70_000, 1 << 20} {
		c := contents(n)
		got, record, err := read(written(t, id.Recipient(), c), id)
		if err != nil {
			t.Fatalf("a record of %d bytes: %v", n, err)
		}
		want := contents(n)
		wantRecord, _ := io.ReadAll(want.Record)
		want.Manifest.Format = Format
		if got.Manifest != want.Manifest || string(got.Config) != string(want.Config) || string(got.BrandKey) != string(want.BrandKey) ||
			string(got.RouterKey) != string(want.RouterKey) || !bytes.Equal(record, wantRecord) {
			t.Errorf("a record of %d bytes came back as %+v and %d bytes", n, got.Manifest, len(record))
		}
	}
	c := contents(512)
	c.BrandKey = nil
	if got, _, err := read(written(t, id.Recipient(), c), id); err != nil || got.BrandKey != nil {
		t.Errorf("without a brand key: %v, %v", got, err)
	}
}

// TestEitherKindOfKey: the brand's seal key opens backups too.
func TestEitherKindOfKey(t *testing.T) {
	seal, unseal, err := hien.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	to, err := ParseRecipient(seal.String())
	if err != nil {
		t.Fatal(err)
	}
	id, err := ReadIdentity(strings.NewReader("# the paper's\n\n" + unseal.Reveal() + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(written(t, to, contents(512)), id); err != nil {
		t.Errorf("sealed to a seal key: %v", err)
	}
	own := newIdentity(t)
	if to, err = ParseRecipient(own.Recipient().String()); err != nil {
		t.Fatal(err)
	}
	if id, err = ReadIdentity(strings.NewReader("# created: now\n# public key: " + to.String() + "\n" + own.Reveal())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(written(t, to, contents(512)), id); err != nil {
		t.Errorf("sealed to an age key: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %s", own, own, own); strings.Contains(s, "SECRET") {
		t.Errorf("the private key prints itself: %s", s)
	}
	for _, text := range []string{"", "age1", "hien-seal-1:short", own.Reveal(), "ssh-ed25519 AAAA"} {
		if _, err := ParseRecipient(text); err == nil {
			t.Errorf("%q was taken for a public key", text)
		}
	}
	for _, text := range []string{"", "hien-unseal-1:short", to.String()} {
		if _, err := ReadIdentity(strings.NewReader(text)); err == nil {
			t.Errorf("%q was taken for a private key", text)
		}
	}
}

// TestKeysAreWrittenAsAgeWritesThem, for every value of a byte.
func TestKeysAreWrittenAsAgeWritesThem(t *testing.T) {
	for range 200 {
		id := newIdentity(t)
		raw := unbech32(t, id.Recipient().String())
		if got := bech32("age", raw); got != id.Recipient().String() {
			t.Fatalf("wrote %s; age writes %s", got, id.Recipient())
		}
	}
}

// unbech32 is the 32 bytes of an age key, without looking at its checksum.
func unbech32(t *testing.T, text string) (raw []byte) {
	t.Helper()
	bits, have := 0, 0
	for _, c := range text[strings.LastIndex(text, "1")+1 : len(text)-6] {
		bits, have = (bits<<5|strings.IndexRune("qpzry9x8gf2tvdw0s3jn54khce6mua7l", c))&0xffff, have+5
		if have >= 8 {
			have -= 8
			raw = append(raw, byte(bits>>have))
		}
	}
	return raw
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	b := written(t, newIdentity(t).Recipient(), contents(512))
	if _, _, err := read(b, newIdentity(t)); !errors.Is(err, ErrKey) {
		t.Errorf("with another key: %v; want ErrKey", err)
	}
}

// TestATornOrChangedFileIsNotABackup, wherever it was cut or changed.
func TestATornOrChangedFileIsNotABackup(t *testing.T) {
	id := newIdentity(t)
	b := written(t, id.Recipient(), contents(200_000))
	r := rand.New(rand.NewPCG(20, 26))
	for range 300 {
		n := r.IntN(len(b))
		if _, _, err := read(b[:n], id); err == nil {
			t.Fatalf("cut to %d of %d bytes, it was taken for whole", n, len(b))
		}
		changed := bytes.Clone(b)
		changed[n] ^= 1 << r.IntN(8)
		if _, _, err := read(changed, id); err == nil {
			t.Fatalf("changed at byte %d, it was taken for whole", n)
		}
	}
	if _, _, err := read(append(bytes.Clone(b), 0), id); err == nil {
		t.Error("with a byte behind its end it was taken for whole")
	}
}

func TestASourceThatEndsEarlyLeavesNoBackup(t *testing.T) {
	id := newIdentity(t)
	c := contents(100_000)
	c.Record = io.LimitReader(c.Record, 1000)
	var b bytes.Buffer
	if err := Write(&b, id.Recipient(), c); err == nil {
		t.Error("a record that ended early was written without an error")
	}
	if _, _, err := read(b.Bytes(), id); err == nil {
		t.Error("and what there is of it was taken for whole")
	}
}

// packed is an archive of these parts, sealed.
func packed(t testing.TB, to Recipient, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to.to)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(w)
	for i := 0; i < len(parts); i += 2 {
		h := &tar.Header{Name: parts[i], Size: int64(len(parts[i+1])), Mode: 0o600}
		if strings.HasPrefix(parts[i], "link:") {
			h.Name, h.Typeflag, h.Linkname, h.Size = parts[i][5:], tar.TypeSymlink, "/etc/passwd", 0
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			io.WriteString(tw, parts[i+1])
		}
	}
	if err := errors.Join(tw.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsNoBackup(t *testing.T) {
	id := newIdentity(t)
	const manifest = `{"format":"hien-backup-1","record":3}`
	for name, c := range map[string]struct {
		parts []string
		says  string
	}{
		"nothing in it":            {nil, "unexpected EOF"},
		"no manifest":              {[]string{"config", "c", "router.key", "k", "record.db", "abc"}, "something is missing"},
		"no router key":            {[]string{"manifest.json", manifest, "config", "c", "record.db", "abc"}, "something is missing"},
		"no record":                {[]string{"manifest.json", manifest, "config", "c", "router.key", "k"}, "unexpected EOF"},
		"a stranger":               {[]string{"manifest.json", manifest, "../../etc/passwd", "x"}, "does not belong there"},
		"a link":                   {[]string{"manifest.json", manifest, "link:config", ""}, "does not belong there"},
		"another order":            {[]string{"config", "c", "manifest.json", manifest}, "does not belong there"},
		"a part twice":             {[]string{"manifest.json", manifest, "config", "c", "config", "d"}, "does not belong there"},
		"something behind":         {[]string{"manifest.json", manifest, "config", "c", "router.key", "k", "record.db", "abc", "more", "x"}, "behind its end"},
		"another length":           {[]string{"manifest.json", manifest, "config", "c", "router.key", "k", "record.db", "abcd"}, "it says 3"},
		"a later release's":        {[]string{"manifest.json", `{"format":"hien-backup-2"}`}, "install the release that wrote it"},
		"a manifest that is none":  {[]string{"manifest.json", "["}, "manifest.json"},
		"a part that is too large": {[]string{"manifest.json", manifest, "config", strings.Repeat("c", MaxSmall+1)}, "at most"},
	} {
		if _, _, err := read(packed(t, id.Recipient(), c.parts...), id); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", name, err, c.says)
		}
	}
	if _, _, err := read([]byte("a text"), id); err == nil {
		t.Error("a text was taken for a backup")
	}
}

func FuzzOpen(f *testing.F) {
	id := newIdentity(f)
	f.Add([]byte("no archive"))
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	tw.WriteHeader(&tar.Header{Name: ManifestName, Size: 2, Mode: 0o600})
	tw.Write([]byte("{}"))
	tw.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, archive []byte) {
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, id.Recipient().to)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(archive)
		w.Close()
		got, record, err := read(sealed.Bytes(), id)
		if err == nil && (got.Manifest.Record != int64(len(record)) || got.RouterKey == nil) {
			t.Errorf("taken for a backup: %+v", got.Manifest)
		}
	})
}
