package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// The test binary runs itself as the one that is killed.
const (
	victimPath    = "HIEN_SQLITE_TEST_VICTIM"
	victimJournal = "HIEN_SQLITE_TEST_JOURNAL"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(victimPath); path != "" {
		if err := beVictim(path, journal(os.Getenv(victimJournal))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if dir := os.Getenv(leaveIn); dir != "" {
		if err := leave(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// beVictim opts people in, withdraws one in seven and delivers now and then,
// and says what it was told is done, until it is killed.
func beVictim(path string, j journal) error {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{Signer: signer, set: settings{journal: j}})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		a := application{id: consent.NewID(), person: rand.IntN(1 << 30), device: rand.IntN(1 << 30), agreed: all, at: at(i)}
		if err := s.OptIn(ctx, lead(a.person), a.record); err != nil {
			return err
		}
		fmt.Println("given", a.id)
		if i%7 == 3 {
			if err := takeBack(ctx, s, hien.Who{Receipt: receipt(a.id)}, at(i)); err != nil {
				return err
			}
			fmt.Println("withdrawn", a.id)
		}
		if i%11 == 5 {
			b, err := s.Batch(ctx, 20, at(i))
			if err != nil {
				return err
			}
			if err := s.Delivered(ctx, ids(b)); err != nil {
				return err
			}
		}
	}
}

// What was acknowledged is in the record, once, wherever SIGKILL falls.
// A power cut is not tried here: that takes a block device to cut.
func TestNothingAcknowledgedIsLostWhenTheDaemonIsKilled(t *testing.T) {
	for _, j := range journals {
		t.Run(string(j), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), FileName)
			acknowledged := make(map[string]string) // consent id → the last word about it
			for range 20 {
				killOnce(t, path, j, acknowledged)
				s := reopen(t, path)
				verify(t, s)
				for id, word := range acknowledged {
					r, err := s.Receipt(t.Context(), receipt(consent.ID(id)))
					if err != nil {
						t.Fatalf("%s %s: %v", word, id, err)
					}
					if word == "withdrawn" {
						want(t, "stands after a withdrawal", r.Standing.AllowsAny(), false)
					}
					want(t, "entries of "+id, number(t, s, "SELECT count(*) FROM consents WHERE id = ?", id), 1)
				}
				for _, e := range batch(t, s, at(0)) {
					if e.Kind() != hien.Withdrawn && !e.Consent().Allows(e.Purpose()) {
						t.Errorf("event %s is not allowed", e.ID())
					}
				}
				s.Close()
			}
			t.Logf("%d opt-ins acknowledged, none lost", len(acknowledged))
		})
	}
}

// killOnce runs the victim, waits until it has said a few words and kills it
// at a random moment of its next deeds.
func killOnce(t *testing.T, path string, j journal, acknowledged map[string]string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimPath+"="+path, victimJournal+"="+string(j))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	words := bufio.NewScanner(out)
	patience := 1 + rand.IntN(20)
	for heard := 0; words.Scan(); heard++ {
		var word, id string
		if n, _ := fmt.Sscan(words.Text(), &word, &id); n == 2 {
			acknowledged[id] = word
		}
		if heard == patience {
			time.AfterFunc(time.Duration(rand.Int64N(int64(3*time.Millisecond))), func() { cmd.Process.Kill() })
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the victim ended by itself: %v", err)
	}
}
