package doctor_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien/internal/world"
)

// snapshot is what the router's kernel holds.
func (s *shop) snapshot() (text string) {
	s.Helper()
	ctx := s.soon()
	err := s.Router.Do(func() (err error) {
		text, err = world.Snapshot(ctx)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return text
}

// timers of the access point's port run by themselves.
var timers = regexp.MustCompile(`(hold|message_age|forward_delay)_timer +[0-9.]+`)

func (s *shop) unchanged(before string) {
	s.Helper()
	still := func(snapshot string) string { return timers.ReplaceAllString(snapshot, "") }
	if diff := world.SnapshotDiff(still(before), still(s.snapshot())); diff != "" {
		s.Errorf("left behind:\n%s", diff)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	s := newShop(t, world.Options{LAN: true})
	s.examine() // the first use of a table makes it
	before, mark := s.snapshot(), s.Router.Dnsmasq().Mark()
	r := s.examine()
	s.unchanged(before)
	if _, err := s.Router.Dnsmasq().LineAfter(s.soon(), mark, "DHCPRELEASE", r.Zones[0].Address); err != nil {
		t.Errorf("the address was not given back: %v", err)
	}
}

func TestNothingIsLeftBehindWhenItIsStoppedInTheMiddle(t *testing.T) {
	for name, sig := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "SIGKILL": os.Kill} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, world.Options{})
			s.examine()
			before := s.snapshot()

			links, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
			defer close(done)
			if err := s.Router.Do(func() error { return netlink.LinkSubscribe(links, done) }); err != nil {
				t.Fatal(err)
			}
			ctx := s.soon()
			await := func(message uint16) {
				t.Helper()
				for {
					select {
					case u := <-links:
						if u.Header.Type == message && strings.HasPrefix(u.Attrs().Name, "hiendoc") {
							return
						}
					case <-ctx.Done():
						t.Fatalf("no message %d about the doctor's cable", message)
					}
				}
			}
			var said bytes.Buffer
			cmd := s.command()
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			await(unix.RTM_NEWLINK)
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Errorf("it ended with %v and said %s; want that it was stopped", err, said.String())
			}
			await(unix.RTM_DELLINK)
			s.unchanged(before)
		})
	}
}
