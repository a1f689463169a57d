package consent_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/consent"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The made-up owner of a made-up shop.
var owner = consent.Controller{
	Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh", TaxID: "0000000001",
	Contact: "dpo@hien.example", Recipients: []string{"Nền tảng CDP Mẫu"}, Operator: "Công ty Vận hành Mẫu",
	Carriers: []string{"eSMS (ViHAT)", "Công ty Nhắn tin Mẫu"},
}

var everyPurpose = []consent.Purpose{consent.VisitFrequency, consent.ContactZalo, consent.ContactSMS, consent.AdsAudience, consent.ProfileExtra, "share_partner:banh-mau"}

func policy(t testing.TB, id string) *consent.Policy {
	t.Helper()
	p, err := consent.LoadPolicy(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNoticesOfEachPolicy(t *testing.T) {
	for _, id := range consent.Policies() {
		for _, language := range []string{"vi", "en"} {
			for _, suffix := range []string{"", "-till"} {
				name, purposes := "notice-"+id+suffix+"."+language+".txt", everyPurpose
				if suffix != "" { // without a number nothing is asked that reaches a person
					purposes = []consent.Purpose{consent.VisitFrequency, consent.ProfileExtra}
				}
				a := consent.Asker{Policy: policy(t, id), Controller: owner, NoNumber: suffix != ""}
				t.Run(name, func(t *testing.T) {
					n, err := a.Notice(language, "Quán Hiên", purposes)
					if err != nil {
						t.Fatal(err)
					}
					text := n.Text()
					path := filepath.Join("testdata", name)
					if *update {
						if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
							t.Fatal(err)
						}
					}
					want, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(string(want), text); diff != "" {
						t.Errorf("%s (-want +got; rewrite with -update):\n%s", path, diff)
					}
					if strings.ContainsAny(text, "{}") {
						t.Error("a name in braces was left")
					}
				})
			}
		}
	}
}

// TestANoticeHasWhatTheLawAsksFor is R-CON-4, field by field.
func TestANoticeHasWhatTheLawAsksFor(t *testing.T) {
	for _, id := range consent.Policies() {
		n, err := policy(t, id).Notice("en", "Quán Hiên", owner, everyPurpose)
		if err != nil {
			t.Fatal(err)
		}
		text := n.Text()
		for what, words := range map[string]string{
			"controller": owner.Name, "address": owner.Address, "contact": owner.Contact, "recipients": owner.Recipients[0],
			"carriers": "given to eSMS (ViHAT), Công ty Nhắn tin Mẫu, only to send you the code",
			"operator": owner.Operator, "kinds of data": "phone number", "how it is processed": "processed automatically",
			"retention": "24 months", "code in the proof": "months longer, with the code that stands for the number", "rights": "right to see", "how to use them": "receipt", "possible harm": "Possible harm",
			"that visits may be sensitive": "may be sensitive", "the refusal mark": "device said no",
			"that access does not depend on it": "does not depend on your answer", "the most messages": "at most 2 a month",
		} {
			if !strings.Contains(text, words) {
				t.Errorf("%s: the notice does not tell the %s (%q)", id, what, words)
			}
		}
		if needs := slices.Contains(policy(t, id).Needs, consent.FactTaxID); needs != strings.Contains(text, owner.TaxID) {
			t.Errorf("%s: the tax id is needed: %v, and told: %v", id, needs, !needs)
		}
	}
}

func TestNobodyIsAskedByHalfANotice(t *testing.T) {
	p := policy(t, "vn-2026")
	for _, f := range p.Needs {
		c := owner
		*map[consent.Fact]*string{consent.FactName: &c.Name, consent.FactAddress: &c.Address, consent.FactTaxID: &c.TaxID, consent.FactContact: &c.Contact}[f] = " "
		if got := p.Lacks(c); len(got) != 1 || got[0] != f {
			t.Errorf("without %s the policy misses %v", f, got)
		}
		if _, err := p.Notice("vi", "Quán", c, everyPurpose); !errors.Is(err, consent.ErrIncomplete) {
			t.Errorf("without %s: got %v, want ErrIncomplete", f, err)
		}
	}
	unnamed := owner
	unnamed.Delivers, unnamed.Recipients, unnamed.Carriers = true, nil, []string{"eSMS (ViHAT)", " "}
	if got, want := p.Lacks(unnamed), []consent.Fact{consent.FactRecipient, consent.FactCarrier}; !slices.Equal(got, want) {
		t.Errorf("with a sink and a carrier that have no name the policy lacks %v, want %v", got, want)
	}
	for _, c := range []consent.Controller{{Delivers: true}, {Carriers: []string{""}}} {
		nobody := owner
		nobody.Delivers, nobody.Recipients, nobody.Carriers = c.Delivers, c.Recipients, c.Carriers
		if _, err := p.Notice("vi", "Quán", nobody, everyPurpose); !errors.Is(err, consent.ErrIncomplete) {
			t.Errorf("data goes to somebody without a name (%+v): got %v, want ErrIncomplete", c, err)
		}
	}
}

func TestWhatANoticeTellsDependsOnWhatIsAsked(t *testing.T) {
	p := policy(t, "vn-2026")
	text := func(c consent.Controller, purposes ...consent.Purpose) string {
		n, err := p.Notice("en", "Quán", c, purposes)
		if err != nil {
			t.Fatal(err)
		}
		return n.Text()
	}
	alone := owner
	alone.Recipients, alone.Operator, alone.Carriers = nil, "", nil
	carried, operated, abroad := alone, alone, alone
	abroad.Transfer = "Singapore"
	carried.Carriers, operated.Operator = owner.Carriers, owner.Operator
	logged := owner
	logged.AccessLog = true
	untold := consent.Asker{Policy: p, Controller: owner, NoNumber: true}
	kept := consent.Asker{Policy: p, Controller: carried, NoNumber: true}
	here, err := kept.Notice("en", "Quán", []consent.Purpose{consent.VisitFrequency})
	if err != nil {
		t.Fatal(err)
	}
	till, err := untold.Notice("en", "Quán", []consent.Purpose{consent.VisitFrequency})
	if err != nil || till.Substance != p.Substance(owner) {
		t.Fatalf("the notice with the staff's code: %v, and the same in substance", err)
	}
	for name, c := range map[string]struct {
		text, part string
		want       bool
	}{
		"a number, when one is given":        {text(owner, consent.VisitFrequency), "A number that is not confirmed", true},
		"no number, when none is asked for":  {text(owner, consent.VisitFrequency), "does not ask for your phone number", false},
		"that none is asked for":             {till.Text(), "does not ask for your phone number", true},
		"no more of it":                      {strings.Replace(till.Text(), "does not ask for your phone number", "", 1), "number", false},
		"visits, when they are remembered":   {text(owner, consent.VisitFrequency), "pseudonymised mark of this device", true},
		"no visits, when they are not":       {text(owner, consent.ContactZalo), "pseudonymised mark of this device", false},
		"a sealed number, to reach somebody": {text(owner, consent.ContactZalo), "sealed with a key", true},
		"no sealed number, to count":         {text(owner, consent.VisitFrequency), "sealed with a key", false},
		"nobody receives it":                 {text(alone, consent.ContactZalo), "Nobody else receives", true},
		"who carries the code":               {text(carried, consent.ContactZalo), "given to eSMS (ViHAT), Công ty Nhắn tin Mẫu, only", true},
		"that somebody receives the number":  {text(carried, consent.ContactZalo), "Nobody else receives", false},
		"that somebody works for the shop":   {text(operated, consent.ContactZalo), "Nobody else receives", false},
		"that it goes abroad":                {text(abroad, consent.ContactZalo), "Nobody else receives", false},
		"that a partner gets it":             {text(alone, "share_partner:banh-mau"), "Nobody else receives", false},
		"that advertisers get it":            {text(alone, consent.AdsAudience), "Nobody else receives", false},
		"no carrier, when there is none":     {text(alone, consent.ContactZalo), "is given to", false},
		"no carrier of the till's code":      {here.Text(), "is given to", false},
		"that nobody has what nobody sends":  {here.Text(), "Nobody else receives", true},
		"that nothing is sold":               {text(owner, consent.ContactZalo), "does not sell data", true},
		"no operator":                        {text(alone, consent.ContactZalo), "Processor", false},
		"the access log (R-LOG-3)":           {text(logged, consent.ContactZalo), "access log for 12 months", true},
		"no access log":                      {text(owner, consent.ContactZalo), "access log", false},
		"the partner by name":                {text(owner, "share_partner:banh-mau"), "our partner banh-mau", true},
	} {
		if got := strings.Contains(c.text, c.part); got != c.want {
			t.Errorf("%s: %q is there: %v", name, c.part, got)
		}
	}
}

func TestWhatTheOwnerWritesIsNotFilledInAgain(t *testing.T) {
	c := owner
	c.Name = "{contact} & {store}"
	n, err := policy(t, "vn-2026").Notice("vi", "Quán", c, everyPurpose)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(n.Text(), "{contact} & {store}") {
		t.Error("a name in an owner's own words was taken for ours")
	}
}

func TestAnotherPolicyIsAnotherNotice(t *testing.T) {
	seen := map[string]string{}
	for _, id := range consent.Policies() {
		n, err := policy(t, id).Notice("vi", "Quán", owner, everyPurpose)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[n.Version]; ok {
			t.Errorf("%s and %s have the version %s", id, other, n.Version)
		}
		seen[n.Version] = id
	}
}

func TestADamagedPolicyIsRefused(t *testing.T) {
	good, err := os.ReadFile("policies/vn-2026.json")
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) []byte {
		text := strings.Replace(string(good), old, new, 1)
		if text == string(good) {
			t.Fatalf("there is no %q to damage", old)
		}
		return []byte(text)
	}
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"cut off":                      {good[:len(good)/2], "unexpected EOF"},
		"empty":                        {nil, "EOF"},
		"an unknown field":             {edit(`"age"`, `"aged"`), "unknown field"},
		"no jurisdiction":              {edit(`"jurisdiction": "VN"`, `"jurisdiction": "vn"`), "jurisdiction \"vn\""},
		"no age":                       {edit(`"age": 16`, `"age": 0`), "more than 0"},
		"a wording in one language":    {edit(`"Remember my visits"`, `" "`), "both languages"},
		"a name that is not there":     {edit("{controller}", "{controler}"), "there is no {controler}"},
		"a brace that is not closed":   {edit("{controller}", "{controller"), "there is no {controller"},
		"a version of another policy":  {edit(`"vn-2026.1"`, `"eu-gdpr.1"`), "does not begin with the id"},
		"hours that are none":          {edit(`"22:00"`, `"25:00"`), "sending is not whole"},
		"a channel without a cap":      {edit(`"max_per_month": 2`, `"max_per_month": 0`), "no max_per_month"},
		"a fact that no shop can tell": {edit(`"controller_name"`, `"controller_mood"`), "controller_mood"},
		"a condition that is none":     {edit(`"when": "number"`, `"when": "numbr"`), "there is no when"},
		"recipients that it hides":     {edit(`: {recipients}."`, `."`), "no paragraph tells {recipients}"},
		"carriers that it hides":       {edit(`chuyển cho {carriers}`, `chuyển đi`), "no paragraph tells {carriers}"},
		"a tax id that it hides":       {edit(`, tax id {tax_id}`, ``), "no paragraph tells {tax_id}"},
		"a log that it hides":          {edit(`"when": "access_log"`, `"when": "reaches"`), "no paragraph is for when \"access_log\""},
		"something behind its end":     {append(slices.Clone(good), "{}"...), "follows its end"},
		"too large":                    {[]byte(strings.Repeat(" ", 300<<10)), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := consent.ParsePolicy(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
	if _, err := consent.LoadPolicy("../../etc/passwd"); err == nil {
		t.Error("a policy of any path is loaded")
	}
}

func FuzzParsePolicy(f *testing.F) {
	good, err := os.ReadFile("policies/vn-2026.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"id":"x","version":"x.1"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := consent.ParsePolicy(text)
		if err != nil {
			return
		}
		for _, language := range []string{"vi", "en"} {
			n, err := p.Notice(language, "Quán", owner, everyPurpose)
			if err != nil || len(n.Asks) != len(everyPurpose) {
				t.Errorf("a policy that is taken makes no notice: %v", fmt.Sprint(err))
			}
		}
	})
}

// TestTheSubstanceIsWhatMatters: neither the language, the shop's name nor what
// is asked changes it; whoever decides or receives does.
func TestTheSubstanceIsWhatMatters(t *testing.T) {
	p := policy(t, "vn-2026")
	of := func(language, store string, c consent.Controller, purposes []consent.Purpose) consent.Hash {
		n, err := p.Notice(language, store, c, purposes)
		if err != nil {
			t.Fatal(err)
		}
		return n.Substance
	}
	same := of("vi", "Quán", owner, everyPurpose)
	if of("en", "Another", owner, everyPurpose[:1]) != same || same == (consent.Hash{}) {
		t.Error("the substance depends on language, name or purposes")
	}
	for what, change := range map[string]func(*consent.Controller){
		"name": func(c *consent.Controller) { c.Name += "x" }, "tax id": func(c *consent.Controller) { c.TaxID += "1" },
		"operator": func(c *consent.Controller) { c.Operator = "" }, "transfer": func(c *consent.Controller) { c.Transfer = "x" },
		"recipients": func(c *consent.Controller) { c.Recipients = append(slices.Clone(c.Recipients), "x") },
	} {
		c := owner
		if change(&c); of("vi", "Quán", c, everyPurpose) == same {
			t.Errorf("another %s is the same in substance", what)
		}
	}
	another := owner
	another.Carriers = []string{"another"}
	if of("vi", "Quán", another, everyPurpose) != same {
		t.Error("who agreed before is asked again for a carrier, who gets nothing of it")
	}
	text, err := os.ReadFile("policies/vn-2026.json")
	if err != nil {
		t.Fatal(err)
	}
	more, err := consent.ParsePolicy([]byte(strings.Replace(string(text), `"max_per_month": 2`, `"max_per_month": 3`, 1)))
	if err != nil || more.Substance(owner) == same {
		t.Errorf("more messages a month are the same in substance: %v", err)
	}
	comma, err := consent.ParsePolicy([]byte(strings.Replace(string(text), "Possible harm:", "Possible harms:", 1)))
	if err != nil || comma.Substance(owner) != same {
		t.Errorf("a corrected word is another substance: %v", err)
	}
}

func TestThePoliciesWordsKeepTheHouseRules(t *testing.T) {
	for _, id := range consent.Policies() {
		for _, language := range []string{"vi", "en"} {
			n, err := policy(t, id).Notice(language, "Quán Hiên", owner, everyPurpose)
			if err != nil {
				t.Fatal(err)
			}
			for _, never := range []string{"!", "ẩn danh", "anonymous", "click", "quý khách"} {
				if strings.Contains(strings.ToLower(n.Text()), never) {
					t.Errorf("%s %s holds %q", id, language, never)
				}
			}
			for _, a := range n.Asks {
				if l := len([]rune(a.Line)); l > 60 {
					t.Errorf("%s %s: the line of %s is %d characters long: a purpose is one short line", id, language, a.Purpose, l)
				}
			}
			if got := consent.AsksOf(n.Text()); !slices.Equal(got, n.Asks) {
				t.Errorf("%s %s: read back from the text it asks %v", id, language, got)
			}
		}
	}
}

func FuzzAsksOf(f *testing.F) {
	f.Add("[ ] contact_zalo: line\n    detail\n")
	f.Add("[ ] x\n[ ] : \n    ")
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range consent.AsksOf(text) {
			if _, err := consent.ParsePurpose(string(a.Purpose)); err != nil {
				t.Errorf("%q is no purpose", a.Purpose)
			}
		}
	})
}
