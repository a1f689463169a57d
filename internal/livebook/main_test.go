package livebook_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/livebook"
)

// TestMain is also the daemon that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("HIEN_TEST_WRITE_TO"); path != "" {
		fmt.Fprintln(os.Stderr, writeForEver(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeForEver counts on, guest by guest, and tells each change that was
// acknowledged.
func writeForEver(path string) error {
	b, err := livebook.Open(path, livebook.Options{Boot: boot, MaxGuests: 40})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		err := b.Change(guestID(n%30), func(g *hien.Guest) error {
			if g.Pass.Until == 0 {
				*g = whole(g.ID)
				g.Pass.Until = time.Duration(n % 30)
			}
			g.Pass.Until += 30
			g.Form.Sealed = make([]byte, n%5000)
			n = int(g.Pass.Until)
			return nil
		})
		if err != nil {
			return err
		}
		if n%7 == 0 { // strangers come and go meanwhile
			if err := b.Change(guestID(1000+n), seen(time.Duration(n))); err != nil {
				return err
			}
		}
		fmt.Println(n)
	}
}

func TestAnAcknowledgedChangeOutlivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "live")
	for range 30 {
		acknowledged := kill(t, path, rand.IntN(400))
		b := open(t, path)
		counts := make(map[int]int)
		err := b.Guests(func(g hien.Guest) error {
			if n := int(g.Pass.Until); n > 0 {
				counts[n%30] = n
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for guest, n := range acknowledged {
			if got := counts[guest]; got < n || got > n+30 {
				t.Fatalf("guest %d: the book says %d, and %d was the last that was acknowledged", guest, got, n)
			}
		}
		b.Close()
	}
}

// kill runs a daemon and kills it once it has told so many changes. It
// returns the last change told of each guest.
func kill(t *testing.T, path string, after int) map[int]int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "HIEN_TEST_WRITE_TO="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := make(map[int]int)
	lines := bufio.NewScanner(out)
	for told := 0; lines.Scan(); told++ {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			break // cut off by the kill
		}
		acknowledged[n%30] = n
		if told == after {
			cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() == 1 {
		t.Fatalf("the daemon ended by itself: %v", err)
	}
	return acknowledged
}
