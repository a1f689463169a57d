package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/internal/world"
)

const kills = 100

// TestKilledAtRandomMoments kills the daemon a hundred times while guests
// give their numbers. Whoever got a page got a promise: the answer is in the
// record, once, and reaches the CDP once. Guests with a pass notice nothing.
func TestKilledAtRandomMoments(t *testing.T) {
	s := newShop(t, world.Options{GuestPrefix: netip.MustParsePrefix("10.77.0.1/20"), Uncounted: true}, everyday)
	crowd, err := s.AddCrowd(s.patient(), 1100)
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	inside := s.letIn(crowd.Guests[:3])
	line := &queue{guests: crowd.Guests[3:], acknowledged: make(map[string]string)}

	r := rand.New(rand.NewPCG(7, uint64(time.Now().UnixNano())))
	for round := range kills {
		if round > 0 {
			s.start()
		}
		s.killUnderLoad(line, r)
		for _, g := range inside {
			if err := g.stillOnline(s.patient()); err != nil {
				t.Fatalf("kill %d: a guest with a pass was cut: %v", round+1, err)
			}
		}
	}
	t.Logf("%d kills; %d opt-ins got their page, %d attempts did not", kills, len(line.acknowledged), line.broken.Load())
	if len(line.acknowledged) < kills/4 {
		t.Fatalf("only %d opt-ins: the kills came too soon to prove anything", len(line.acknowledged))
	}
	s.start()
	for _, g := range inside {
		if err := g.stillOnline(s.patient()); err != nil {
			t.Errorf("after the last start: %v", err)
		}
	}
	if out := s.hien("ledger", "verify"); !strings.Contains(out, "holds") {
		t.Errorf("ledger verify says: %s", out)
	}
	s.checkRecord(line)
	s.scanFor(line)
}

// killUnderLoad lets guests give their numbers and kills the daemon at a
// random answer, while the others' requests are wherever they are.
func (s *shop) killUnderLoad(line *queue, r *rand.Rand) {
	s.Helper()
	ctx, stop := context.WithCancel(s.patient())
	defer stop()
	fatal := make(chan struct{})
	left := atomic.Int32{}
	left.Store(r.Int32N(24) + 1)
	answered := func() {
		if left.Add(-1) == 0 {
			close(fatal)
		}
	}
	var dying atomic.Bool // nobody new comes to the door
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for !dying.Load() {
				guest, number := line.next()
				if guest == nil {
					return
				}
				if receipt, err := s.giveInCrowd(ctx, guest, number, answered); err == nil {
					line.acknowledge(number, receipt)
				} else {
					line.broken.Add(1)
				}
			}
		})
	}
	select {
	case <-fatal:
	case <-ctx.Done():
		s.Fatal("nobody was answered within the patience of a test")
	}
	dying.Store(true)
	s.Daemon.Kill()
	stop()
	group.Wait()
}

// giveInCrowd is one guest's way through the portal.
func (s *shop) giveInCrowd(ctx context.Context, g *world.Guest, number string, answered func()) (receipt string, err error) {
	client := g.HTTPClient()
	world.Follow(client)
	browser := world.Browser{Client: client}
	page, err := browser.Open(ctx, s.Portal())
	if err != nil {
		return "", err
	}
	answered()
	mark := s.Daemon.Mark()
	if page, err = page.Give(ctx, number); err != nil {
		return "", err
	}
	answered()
	code, err := s.Code(ctx, g.MAC, mark)
	if err != nil {
		return "", err
	}
	if page, err = page.Prove(ctx, code); err != nil {
		return "", err
	}
	answered()
	if receipt = page.Receipt(); receipt == "" {
		return "", fmt.Errorf("no receipt on the page: %s", page.Text())
	}
	return receipt, nil
}

// A queue is the guests who have not tried yet, and who got a receipt.
type queue struct {
	mu           sync.Mutex
	guests       []*world.Guest
	taken        int
	acknowledged map[string]string // number → receipt
	broken       atomic.Int32
}

func (q *queue) next() (*world.Guest, string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.taken == len(q.guests) {
		return nil, ""
	}
	q.taken++
	return q.guests[q.taken-1], fmt.Sprintf("09876%05d", q.taken)
}

func (q *queue) acknowledge(number, receipt string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.acknowledged[number] = receipt
}

// An insider is a guest with a pass and a connection that stays open.
type insider struct {
	guest *world.Guest
	conn  net.Conn
}

func (s *shop) letIn(guests []*world.Guest) (all []*insider) {
	s.Helper()
	for _, g := range guests {
		client := g.HTTPClient()
		world.Follow(client)
		page, err := world.Browser{Client: client}.Open(s.patient(), s.Portal())
		if err == nil {
			_, err = page.Skip(s.patient())
		}
		if err != nil {
			s.Fatal(err)
		}
		conn, err := g.Dial(s.patient(), "tcp4", net.JoinHostPort(g.Target.V4.String(), "7"))
		if err != nil {
			s.Fatal(err)
		}
		s.T.Cleanup(func() { conn.Close() })
		all = append(all, &insider{g, conn})
	}
	return all
}

// stillOnline uses the connection that was opened at the start, and a new one.
func (in *insider) stillOnline(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	in.conn.SetDeadline(deadline)
	const said = "still here"
	if _, err := in.conn.Write([]byte(said)); err != nil {
		return err
	}
	heard := make([]byte, len(said))
	if _, err := io.ReadFull(in.conn, heard); err != nil {
		return err
	}
	if !in.guest.Online(ctx, apple) {
		return fmt.Errorf("the probe of %s fails", in.guest.IPv4)
	}
	return nil
}

// checkRecord stops the daemon when the CDP has everything, and reads the
// record itself.
func (s *shop) checkRecord(line *queue) {
	s.Helper()
	entries := s.consents()
	want := 0
	for _, answers := range entries {
		want += 1 + answers // one event that the consent changed, one for each purpose
	}
	if _, err := s.CDP.WaitEvents(s.patient(), want); err != nil {
		s.Errorf("the CDP has %d of %d events: %v", len(s.CDP.Events()), want, err)
	}
	s.stop()
	if got := len(s.CDP.Events()); got != want {
		s.Errorf("the CDP has %d different events; want %d", got, want)
	}
	s.Logf("%d ledger entries, %d events at the CDP in %d batches", len(entries), want, len(s.CDP.Batches()))

	store, key := s.openRecord()
	defer store.Close()
	brandText, err := os.ReadFile(filepath.Join(s.Dir, "brand.key"))
	if err != nil {
		s.Fatal(err)
	}
	brand, err := hien.ParseBrandKey(string(brandText))
	if err != nil {
		s.Fatal(err)
	}
	head, err := store.Head(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	if err := consent.Verify(key, store.Entries(s.Context()), head); err != nil {
		s.Errorf("ledger: %v", err)
	}
	times := make(map[consent.ID]int)
	for id := range entries {
		times[id]++
	}
	for number, receipt := range line.acknowledged {
		link, err := url.Parse(receipt)
		if err != nil {
			s.Fatal(err)
		}
		r, err := store.Receipt(s.Context(), hien.ReceiptHash(path.Base(link.Path)))
		if err != nil {
			s.Errorf("an opt-in that got its page is not in the record: %v", err)
			continue
		}
		if n := times[r.Given.ID()]; n != 1 {
			s.Errorf("an opt-in that got its page is in the ledger %d times", n)
		}
		phone, err := hien.ParsePhone(number)
		if err != nil {
			s.Fatal(err)
		}
		if !s.hasUser(brand.LeadKey(phone)) {
			s.Error("an opt-in that got its page did not reach the CDP")
		}
	}
}

func (s *shop) hasUser(key hien.LeadKey) bool {
	for _, e := range s.CDP.Events() {
		if strings.Contains(string(e), `"`+string(key)+`"`) {
			return true
		}
	}
	return false
}

// consents are the consents of the ledger and how many purposes each agrees
// to. A consent that stands twice fails the test.
func (s *shop) consents() map[consent.ID]int {
	s.Helper()
	s.stop()
	store, _ := s.openRecord()
	agreed := make(map[consent.ID]int)
	for e, err := range store.Entries(s.Context()) {
		if err != nil {
			s.Fatal(err)
		}
		st, err := e.Statement()
		if err != nil {
			s.Fatal(err)
		}
		if _, twice := agreed[st.ID]; twice {
			s.Errorf("consent %s stands twice in the ledger", st.ID)
		}
		agreed[st.ID] = 0
		for _, a := range st.Answers {
			if a.Agreed {
				agreed[st.ID]++
			}
		}
	}
	if err := store.Close(); err != nil {
		s.Fatal(err)
	}
	s.start()
	return agreed
}

func (s *shop) openRecord() (*sqlite.Store, ed25519.PublicKey) {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.DataDir(), "router.key"))
	if err != nil {
		s.Fatal(err)
	}
	key, err := hien.ParseRouterKey(string(text))
	if err != nil {
		s.Fatal(err)
	}
	store, err := sqlite.Open(s.Context(), filepath.Join(s.DataDir(), sqlite.FileName), sqlite.Options{Signer: key.Signer()})
	if err != nil {
		s.Fatal(err)
	}
	return store, key.Signer().Public()
}

// scanFor looks for the numbers of some of the guests in everything that the
// gateway wrote, logged and sent.
func (s *shop) scanFor(line *queue) {
	s.Helper()
	log := strings.Join(s.Daemon.Lines(), "\n")
	var sent bytes.Buffer
	for _, b := range s.CDP.Batches() {
		sent.Write(b.Body)
	}
	for name, text := range map[string][]byte{"log": []byte(log), "sent": sent.Bytes()} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), text, 0o600); err != nil {
			s.Fatal(err)
		}
	}
	numbers := 0
	for number := range line.acknowledged {
		phone, err := hien.ParsePhone(number)
		if err != nil {
			s.Fatal(err)
		}
		found, files, err := world.NewNumberScan(phone.Reveal()).Dir(s.Dir)
		if err != nil || len(found) > 0 {
			s.Errorf("a number is readable in %v (%v)", found, err)
		}
		if numbers++; numbers == 10 {
			s.Logf("%d numbers searched for in %d files", numbers, files)
			break
		}
	}
	// The control: the same scan of the same folder finds a number planted in
	// the record's own folder.
	planted, _ := hien.ParsePhone("0931415926")
	if err := os.WriteFile(filepath.Join(s.DataDir(), "planted"), []byte("x\x00"+planted.Reveal()+"\x00"), 0o600); err != nil {
		s.Fatal(err)
	}
	if found, _, err := world.NewNumberScan(planted.Reveal()).Dir(s.Dir); err != nil || len(found) != 1 {
		s.Errorf("the scan found a planted number in %v (%v): it proves nothing", found, err)
	}
}
