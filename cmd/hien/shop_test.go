package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hien-wifi/hien/internal/world"
)

func TestMain(m *testing.M) {
	// In a phone's namespace already: the process that brings it there has the
	// same environment, and other arguments.
	if os.Getenv(inPhone) != "" && strings.HasPrefix(os.Args[1], "-test.") {
		os.Exit(m.Run())
	}
	world.Main(m)
}

// A shop is a world with the real hien in its router.
type shop struct {
	*testing.T
	*world.World
	*world.Gateway
}

// Everyday terms: nothing ends while a test runs.
var everyday = world.Terms{Pass: 4 * time.Hour, VisitGap: 30 * time.Minute}

// build builds the program that is tested, as make does. HIEN_PROGRAM in the
// environment is the path of another one, such as a release's for the 386.
func build(t testing.TB) string {
	t.Helper()
	if program := os.Getenv("HIEN_PROGRAM"); program != "" {
		return program
	}
	tags, err := os.ReadFile("tags")
	if err != nil {
		t.Fatal(err)
	}
	program, err := world.Build(t.Context(), "./cmd/hien", "-trimpath", "-tags", strings.TrimSpace(string(tags)),
		"-ldflags", "-s -w -linkmode external -extldflags -static")
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// newShop makes a world and installs hien in it, without starting it.
func newShop(t *testing.T, o world.Options, terms world.Terms) *shop {
	t.Helper()
	world.Need(t)
	program := build(t)
	w, err := world.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	g, err := w.Install(t.Context(), program, terms)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{T: t, World: w, Gateway: g}
	t.Cleanup(func() {
		if t.Failed() && g.Daemon != nil {
			lines := g.Daemon.Lines()
			t.Logf("the gateway's last words:\n%s", strings.Join(lines[max(0, len(lines)-30):], "\n"))
		}
	})
	return s
}

// open is a shop whose portal is open.
func openShop(t *testing.T, o world.Options, terms world.Terms) *shop {
	t.Helper()
	s := newShop(t, o, terms)
	s.start()
	return s
}

// patient is a context for one step, so that a hang fails by name.
func (s *shop) patient() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
	s.T.Cleanup(cancel)
	return ctx
}

func (s *shop) start() {
	s.Helper()
	if err := s.Start(s.patient()); err != nil {
		s.Fatalf("start: %v", err)
	}
}

func (s *shop) stop() {
	s.Helper()
	if err := s.Daemon.Stop(s.patient()); err != nil {
		s.Errorf("stop: %v", err)
	}
}

// hien runs a command of the gateway that must succeed.
func (s *shop) hien(args ...string) string {
	s.Helper()
	out, err := s.Hien(s.patient(), args...)
	if err != nil {
		s.Fatalf("hien %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// join brings a new phone onto the network.
func (s *shop) join(name string) *world.Phone {
	s.Helper()
	p, err := s.AddPhone(name)
	if err == nil {
		err = p.Join(s.patient())
	}
	if err != nil {
		s.Fatalf("phone %s: %v", name, err)
	}
	return p
}

// give lets a phone's owner give a number and prove it. It shows the page
// after that.
func (s *shop) give(p *world.Phone, number string, purposes ...string) *world.Page {
	s.Helper()
	ctx := s.patient()
	page, err := p.NewBrowser("vi").Open(ctx, "http://example.vn/")
	if err != nil {
		s.Fatal(err)
	}
	mark := s.Daemon.Mark()
	if page, err = page.Give(ctx, number, purposes...); err != nil {
		s.Fatal(err)
	}
	code, err := s.Code(ctx, p.MAC, mark)
	if err != nil {
		s.Fatal(err)
	}
	if page, err = page.Prove(ctx, code); err != nil {
		s.Fatal(err)
	}
	return page
}

var apple = world.ProbeByName("apple")

// online reports whether a phone gets an answer from the internet itself, on
// IPv4 and IPv6. A probe would not do: the portal answers one for a guest
// that it believes to be inside. Where the kernel keeps IPv6 passes by
// address, the first use of an address is how the gateway learns of it: one
// family alone is tried again, for a second.
func (s *shop) online(p *world.Phone) bool {
	s.Helper()
	for began := time.Now(); ; {
		up := 0
		for _, addr := range p.Target.Addrs() {
			if s.echoes(p, addr) {
				up++
			}
		}
		if up != 1 {
			return up == 2
		}
		if time.Since(began) > time.Second {
			s.Errorf("%s is online by one family only", p.Name)
			return false
		}
	}
}

// echoes reports whether a place of the internet answers over TCP.
func (s *shop) echoes(p *world.Phone, addr netip.Addr) bool {
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Second)
	defer cancel()
	conn, err := p.Dial(ctx, "tcp", net.JoinHostPort(addr.String(), "7"))
	if err != nil {
		return false
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte("?")); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}
