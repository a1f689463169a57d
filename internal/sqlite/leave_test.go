package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// leaveIn names a folder in which the test binary is to leave a record, and
// end: so that it can be tried on machines where `go test` does not run.
const leaveIn = "HIEN_SQLITE_TEST_LEAVE"

// leave records one opt-in, as a router does, with the key that signed it
// beside it; looks at what it has written through a second opening; and takes
// the consent back.
func leave(dir string) (err error) {
	ctx := context.Background()
	key := hien.NewRouterKey()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "router.key"), []byte(key.Reveal()+"\n"), 0o600); err != nil {
		return err
	}
	open := func() (*Store, error) {
		return Open(ctx, filepath.Join(dir, FileName), Options{Signer: key.Signer()})
	}
	s, err := open()
	if err != nil {
		return err
	}
	a := application{id: consent.NewID(), person: 1, device: 1, agreed: all, at: at(0)}
	if err := errors.Join(s.OptIn(ctx, lead(1), a.record), s.Close()); err != nil {
		return err
	}
	if s, err = open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r, err := s.Receipt(ctx, receipt(a.id))
	if err != nil {
		return err
	}
	b, err := s.Batch(ctx, 10, at(1))
	if err != nil {
		return err
	}
	head, err := s.Verify(ctx, key.Signer().Public())
	if err != nil {
		return err
	}
	if r.Given.ID() != a.id || !r.Standing.Allows(visits) || len(b) != len(all) || head.Seq != 1 {
		return fmt.Errorf("the opt-in did not come back whole: %d events, %d entries, %v", len(b), head.Seq, r.Standing.Answers())
	}
	journal, err := s.Journal(ctx)
	if err != nil {
		return err
	}
	if err := takeBack(ctx, s, hien.Who{Receipt: receipt(a.id)}, at(2)); err != nil {
		return err
	}
	fmt.Printf("an opt-in and its withdrawal are in the record, journal %s\n", journal)
	return nil
}
