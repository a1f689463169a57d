package hien_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestAPersonSeesEverythingThatIsKeptAndNothingElse(t *testing.T) {
	p := newPorch(t)
	d, other := device(1), device(2)
	p.give(other, "0912345678", consent.VisitFrequency)
	p.give(d, "0987654321", consent.VisitFrequency, consent.ContactZalo)
	secret := p.greet(d).Receipt
	who := hien.Who{Receipt: hien.ReceiptHash(secret)}
	p.later(30 * time.Minute)
	if err := p.Withdraw(t.Context(), who, nil, "portal", p.now); err != nil {
		t.Fatal(err)
	}
	p.later(24 * time.Hour)
	p.tick()
	p.give(d, "0987654321", consent.VisitFrequency) // under another name
	people, err := p.Person(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	text, err := hien.Disclose(people, "Quán Hiên", p.now)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Names []struct {
			Subject  string
			Keys     []string `json:"lead_keys"`
			Sealed   string   `json:"sealed_number"`
			Marks    []string `json:"device_marks"`
			Visits   []any
			Consents []struct {
				Entry    uint64 `json:"ledger_entry"`
				Notice   string
				Evidence map[string]struct{ Salt, Value string }
				Receipts int `json:"receipt_links"`
			}
			Events []struct{ Kind string } `json:"waiting_events"`
			Ledger []struct {
				Seq  uint64
				Body string
			}
		}
	}
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(said.Names) != 2 || said.Names[0].Subject == said.Names[1].Subject {
		t.Fatalf("%d names, want both\n%s", len(said.Names), text)
	}
	before, now := said.Names[0], said.Names[1]
	if len(before.Ledger) != 2 || len(before.Events) != 1 || before.Events[0].Kind != "withdrawal" || len(before.Marks)+len(before.Visits) != 0 || before.Sealed != "" {
		t.Errorf("before: %+v", before)
	}
	if len(now.Ledger) != 1 || len(now.Events) != 2 || len(now.Marks) != 1 || len(now.Visits) != 1 || now.Consents[0].Receipts != 1 {
		t.Errorf("now: %+v", now)
	}
	// What is disclosed is what the ledger binds.
	var entry struct{ Commitments map[string]string }
	if err := json.Unmarshal([]byte(now.Ledger[0].Body), &entry); err != nil {
		t.Fatal(err)
	}
	for name, want := range entry.Commitments {
		c := now.Consents[0].Evidence[name]
		salt, err := hex.DecodeString(c.Salt)
		if got := fmt.Sprintf("%x", sha256.Sum256(append(salt, c.Value...))); err != nil || got != want {
			t.Errorf("%s: SHA-256 of salt and value is %s, the ledger says %s", name, got, want)
		}
	}
	theirs := string(p.settings.Brand.LeadKey(phone(p, "0912345678")))
	for what, never := range map[string]string{"the receipt's secret": secret, "her number": "987654321", "somebody else's lead key": theirs} {
		if strings.Contains(string(text), never) {
			t.Errorf("%s is in it", what)
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", people, people, people, people[0]); strings.Contains(shown, "k1:") || strings.Contains(shown, "10.") {
		t.Errorf("a person prints itself: %s", shown)
	}
	if _, err := p.Person(t.Context(), hien.Who{Subject: "nobody"}); !errors.Is(err, hien.ErrNoReceipt) {
		t.Errorf("nobody: %v", err)
	}
}

// A reader is a record that is busy with a person until it is let go.
type reader struct {
	hien.Eraser
	busy, most int32
	letGo      chan struct{}
}

func (r *reader) Person(context.Context, hien.Who) ([]hien.Person, error) {
	r.most = max(r.most, atomic.AddInt32(&r.busy, 1))
	<-r.letGo
	atomic.AddInt32(&r.busy, -1)
	return nil, nil
}

func TestWhoAsksOverAndOverForWhatIsKeptIsAnsweredOneAtATime(t *testing.T) {
	p := newPorch(t)
	synctest.Test(t, func(t *testing.T) {
		slow := &reader{letGo: make(chan struct{})}
		parts := p.parts
		parts.Eraser = slow
		g := hien.NewGateway(parts, p.settings)
		gone, leave := context.WithCancel(t.Context())
		ended := make(chan error, 8)
		for i := range cap(ended) {
			ctx := t.Context()
			if i == 0 {
				ctx = gone
			}
			go func() { _, err := g.Person(ctx, hien.Who{}); ended <- err }()
			synctest.Wait()
		}
		leave() // the first is inside, and has what it asked for all the same
		for range cap(ended) {
			slow.letGo <- struct{}{}
			synctest.Wait()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if slow.most != 1 {
			t.Errorf("%d were answered at once", slow.most)
		}
		go func() { _, err := g.Person(t.Context(), hien.Who{}); ended <- err }()
		synctest.Wait()
		if _, err := g.Person(gone, hien.Who{}); !errors.Is(err, context.Canceled) {
			t.Errorf("who does not wait: %v", err)
		}
		slow.letGo <- struct{}{}
		<-ended
	})
}
