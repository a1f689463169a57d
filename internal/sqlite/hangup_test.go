//go:build cgo && !hien_wasm

package sqlite

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/hien-wifi/hien"
)

// raw hands the record's one connection to set.
func raw(t *testing.T, s *Store, set func(*sqlite3.SQLiteConn)) {
	t.Helper()
	c, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Raw(func(conn any) error { set(conn.(*sqlite3.SQLiteConn)); return nil }); err != nil {
		t.Fatal(err)
	}
}

// rests are the files beside a path in which something of the third person's is
// found.
func rests(path string) (in []string) {
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + end)
		if err == nil && (bytes.Contains(b, []byte(sealed(consentID(3)))) || bytes.Contains(b, []byte(mark(1003)))) {
			in = append(in, FileName+end)
		}
	}
	return in
}

// withPeople is a record of several, whose log holds something of the third.
func withPeople(t *testing.T) *Store {
	t.Helper()
	s := begin(t, with(wal))
	for i := range 5 {
		optIn(t, s, application{id: consentID(i), person: i, device: 1000 + i, agreed: all, at: at(i)})
	}
	if found := rests(s.path); len(found) == 0 || found[len(found)-1] != FileName+"-wal" {
		t.Fatalf("it is in %v, and so the scan of the log would find nothing", found)
	}
	return s
}

// TestWhoHangsUpDuringTheCommitIsForgottenAllTheSame: a phone that goes out of
// reach while what it asked for is being written leaves nothing in the log.
func TestWhoHangsUpDuringTheCommitIsForgottenAllTheSame(t *testing.T) {
	third := hien.Who{Receipt: receipt(consentID(3))}
	for what, deed := range map[string]func(context.Context, *Store) error{
		"withdrawal": func(ctx context.Context, s *Store) error { return takeBack(ctx, s, third, at(20)) },
		"erasure":    func(ctx context.Context, s *Store) error { _, err := forgetAs(ctx, s, third, at(20)); return err },
	} {
		t.Run(what, func(t *testing.T) {
			s := withPeople(t)
			ctx, hangUp := context.WithCancel(t.Context())
			raw(t, s, func(c *sqlite3.SQLiteConn) { c.RegisterCommitHook(func() int { hangUp(); return 0 }) })
			if err := deed(ctx, s); err != nil || ctx.Err() == nil {
				t.Fatalf("%v, and the phone has hung up: %t; want that it was written", err, ctx.Err() != nil)
			}
			wantList(t, "files that still hold it", rests(s.path))
		})
	}
}

// TestALogThatCouldNotBeEmptiedIsTriedAgain by the next sweep, though that finds
// nothing to delete, and by the next deletion.
func TestALogThatCouldNotBeEmptiedIsTriedAgain(t *testing.T) {
	for what, again := range map[string]func(*testing.T, *Store){
		"sweep":    func(t *testing.T, s *Store) { swept(t, s, policy(t), at(30), false) },
		"deletion": func(t *testing.T, s *Store) { erase(t, s, hien.Who{Receipt: receipt(consentID(1))}, at(30)) },
	} {
		t.Run(what, func(t *testing.T) {
			s := withPeople(t)
			deny := sqlite3.SQLITE_DENY
			raw(t, s, func(c *sqlite3.SQLiteConn) {
				c.RegisterAuthorizer(func(deed int, name, _, _ string) int {
					if deed == sqlite3.SQLITE_PRAGMA && name == "wal_checkpoint" {
						return deny
					}
					return sqlite3.SQLITE_OK
				})
			})
			if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt(consentID(3))}, at(20)); err != nil {
				t.Fatal(err)
			}
			if len(rests(s.path)) == 0 {
				t.Fatal("the log was emptied, so nothing is tried here")
			}
			deny = sqlite3.SQLITE_OK
			again(t, s)
			wantList(t, "files that still hold it", rests(s.path))
		})
	}
}

// TestTheLogOfAPowerCutIsEmptiedAtTheStart: it came between the commit and the
// emptying.
func TestTheLogOfAPowerCutIsEmptiedAtTheStart(t *testing.T) {
	s := withPeople(t)
	raw(t, s, func(c *sqlite3.SQLiteConn) {
		c.RegisterAuthorizer(func(deed int, name, _, _ string) int {
			if deed == sqlite3.SQLITE_PRAGMA && name == "wal_checkpoint" {
				return sqlite3.SQLITE_DENY
			}
			return sqlite3.SQLITE_OK
		})
	})
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt(consentID(3))}, at(20)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), FileName)
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.path + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+end, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(rests(path)) == 0 {
		t.Fatal("the copy holds nothing of it, so nothing is tried here")
	}
	again := reopen(t, path)
	wantList(t, "files that still hold it", rests(path))
	want(t, "people", number(t, again, "SELECT count(*) FROM people"), 5)
}
