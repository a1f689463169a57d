package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/control"
)

// A person who asks at the counter, by telephone or on paper, from the
// command line to the record.
func TestWhatIsDoneForAPersonWhoAsks(t *testing.T) {
	d, configuration := counter(t)
	policy, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	d.gateway.Reload(hien.Settings{StoreID: "a", Brand: hien.NewBrandKey(1), Today: consent.Asker{Policy: policy}})
	in := func(args ...string) (int, string) {
		status, out, errOut := said(t, append(args, "--config", configuration)...)
		return status, out + errOut
	}
	d.clock.sure = true
	subject := string(d.optIn(t, 1, consent.VisitFrequency, consent.ContactZalo))
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"person locate " + subject, 0, subject},
		{"person locate 00000000000000000000000000000000", 0, "Nothing is kept of this person."},
		{"person locate http://10.77.0.1/receipt/abcdefghijklmnopqrstuvwxyz", 2, "does not belong on the command line"},
		{"person locate 0912345678", 2, "does not belong on the command line"},
		{"person requests", 0, "Nobody has asked for anything"},
		{"person request erase --by phone", 0, "Request 1 (erase, by phone) is open."},
		{"person answer 1 acknowledge", 0, "Request 1 (erase, by phone) is open."},
		{"person answer 1 extend waiting for the processor", 0, "is open."},
		{"person answer 1 refuse", 1, "told a reason"},
		{"person answer 9 acknowledge", 1, "there is no such request"},
		{"person answer x acknowledge", 2, "no request's number"},
		{"person request sell", 1, "no such kind of request"},
		{"person withdraw " + subject + " --purpose contact_zalo --by phone", 0, "Withdrawn: contact_zalo."},
		{"person export " + subject + " --request 1", 1, "request 1 is to erase"},
		{"person export " + subject, 0, `"format": "hien-person-1"`},
		{"receipt export " + subject + " --format kantara-1.1", 0, `"version": "KI-CR-v1.1.0"`},
		{"receipt export " + subject, 0, "note: the policy that made this person's notice is not there any more"},
		{"receipt export " + subject + " --format iso27560", 2, "kantara-1.1"},
		{"person erase " + subject + " --request 1", 0, "Everything that was kept of this person is erased."},
		{"person erase " + subject + " --request 1", 1, "the request has ended"},
		{"person erase " + subject, 0, "Nothing is kept of this person."},
		{"person requests", 0, "nobody on"},
	} {
		status, text := in(strings.Fields(c.args)...)
		if status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("hien %s: status %d, saying %q; want %d and %q", c.args, status, text, c.status, c.says)
		}
	}
	_, text := in("person", "requests", "--json")
	var l control.List[control.Request]
	if err := json.Unmarshal([]byte(text), &l); err != nil || len(l.Items) != 4 {
		t.Errorf("as JSON: %s, %v; want four requests", text, err)
	}
	for _, r := range l.Items {
		if r.Closed.IsZero() || r.Number == 1 && !strings.Contains(r.Proof, "-") {
			t.Errorf("request %+v", r)
		}
	}
	if _, text := in("audit"); !strings.Contains(text, hien.DidLocate) || !strings.Contains(text, "erase, request 1") {
		t.Errorf("the audit: %s", text)
	}
}

// Whoever took everything back and agreed again is told of under two names: by
// the older of them what stands is taken back too.
func TestAnOlderSubjectOrReceiptTakesBackWhatStands(t *testing.T) {
	d, configuration := counter(t)
	policy, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	d.gateway.Reload(hien.Settings{StoreID: "a", Brand: hien.NewBrandKey(1), Today: consent.Asker{Policy: policy}})
	d.clock.sure = true
	const secret = "abcdefghijklmnopqrstuvwx27"
	key := hien.LeadKey("k1:" + strings.Repeat("1", 64))
	first := d.optInAs(t, key, consent.ContactZalo)
	if err := d.record.Reissue(t.Context(), []hien.LeadKey{key}, hien.ReceiptHash(secret)); err != nil {
		t.Fatal(err)
	}
	portal := receipts{d.gateway}
	for what, withdraw := range map[string]func() string{
		"person withdraw SUBJECT": func() string {
			_, out, _ := said(t, "person", "withdraw", string(first), "--config", configuration)
			return out
		},
		"withdraw SUBJECT": func() string {
			_, out, _ := said(t, "withdraw", string(first), "--config", configuration)
			return out
		},
		"person withdraw, and the receipt's link": func() string {
			done, err := d.person(t.Context(), control.PersonOrder{Do: "withdraw", Who: "lan", Receipt: secret, Channel: "counter"})
			if err != nil || len(done.Names) < 2 {
				t.Fatalf("%d names, %v", len(done.Names), err)
			}
			var b strings.Builder
			if err := control.WritePerson(&b, done, d.clock.now().Wall); err != nil {
				t.Fatal(err)
			}
			return b.String()
		},
		"the receipt's page": func() string {
			if err := portal.Withdraw(t.Context(), secret, nil, d.clock.now()); err != nil {
				t.Fatal(err)
			}
			return string(consent.ContactSMS)
		},
	} {
		if err := d.gateway.Withdraw(t.Context(), hien.Who{Subject: first}, nil, "portal", d.clock.now()); err != nil {
			t.Fatal(err)
		}
		second := d.optInAs(t, key, consent.ContactSMS)
		if second == first {
			t.Fatal("who comes again has the same name")
		}
		if out := withdraw(); !strings.Contains(out, string(consent.ContactSMS)) {
			t.Errorf("%s says %q; want what was taken back", what, out)
		}
		if standing, err := d.record.Standing(t.Context(), second); err != nil || standing.AllowsAny() {
			t.Errorf("%s: %v stand under the newer name, %v", what, standing.Agreed(), err)
		}
		d.nothingStands(t, portal, secret)
	}
	if out := func() string {
		_, out, _ := said(t, "person", "withdraw", string(first), "--config", configuration)
		return out
	}(); !strings.Contains(out, "Nothing that was named stood") {
		t.Errorf("when nothing stands: %q", out)
	}
}

// nothingStands holds that a receipt's page has nothing to show that stands.
func (d *daemon) nothingStands(t *testing.T, portal receipts, secret string) {
	t.Helper()
	names, err := portal.Everything(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range names {
		if p.Consent.AllowsAny() {
			t.Errorf("%v stand under %s", p.Consent.Agreed(), p.Consent.Subject())
		}
	}
}

func TestANumberIsReadFromStandardInput(t *testing.T) {
	for text, want := range map[string]string{"0912 345 678\n": "0912 345 678", "0912345678": "0912345678", " 84912345678 \nmore": "84912345678"} {
		var prompt strings.Builder
		got, err := readNumber(strings.NewReader(text), &prompt)
		if err != nil || got != want || prompt.String() == "" {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "\n", "   \n"} {
		if _, err := readNumber(strings.NewReader(text), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "nobody was named") {
			t.Errorf("%q: %v; want that nobody is named", text, err)
		}
	}
}

func TestAReceiptsLinkIsToldFromANumber(t *testing.T) {
	const secret = "abcdefghijklmnopqrstuvwx27"
	for line, want := range map[string]string{
		secret: secret, "http://10.77.0.1:8080/receipt/" + secret: secret,
		"0912 345 678": "", "84912345678": "", "abc": "", secret + "a": "", "91234567891234567891234567": "",
	} {
		if got := receiptIn(line); got != want {
			t.Errorf("%q: %q; want %q", line, got, want)
		}
	}
}

// A shop that asks nobody any more still has people who want to know what it
// keeps of them, or to be erased.
func TestAShopThatStoppedAskingFindsPeopleByTheirNumbers(t *testing.T) {
	d, _ := counter(t)
	cfg, key := *d.cfg, hien.NewBrandKey(1)
	cfg.BrandKeyFile = write(t, filepath.Join(t.TempDir(), "brand.key"), key.Reveal()+"\n")
	number, err := hien.ParsePhone("0912345678")
	if err != nil || cfg.Asks() {
		t.Fatalf("%v, and the shop asks", err)
	}
	d.optInAs(t, key.LeadKey(number), consent.ContactZalo)
	d.clock.sure = true
	for name, want := range map[string]int{cfg.BrandKeyFile: 1, filepath.Join(t.TempDir(), "none"): 0} {
		cfg.BrandKeyFile = name
		s, err := d.settings(&cfg)
		if err != nil {
			t.Fatal(err)
		}
		d.gateway.Reload(s)
		done, err := d.person(t.Context(), control.PersonOrder{Do: "locate", Who: "lan", Number: "0912345678"})
		if len(done.Names) != want || want == 1 && err != nil || want == 0 && (err == nil || !strings.Contains(err.Error(), "subject")) {
			t.Errorf("with the brand key at %s: %d names, %v; want %d", name, len(done.Names), err, want)
		}
	}
}
