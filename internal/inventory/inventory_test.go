package inventory

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/consent"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func asker(t *testing.T) consent.Asker {
	t.Helper()
	p, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	return consent.Asker{Policy: p, Controller: consent.Controller{Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh",
		TaxID: "0000000001", Contact: "dpo@hien.example", Recipients: []string{"Nền tảng CDP Mẫu"}, Operator: "Công ty Vận hành Mẫu", Carriers: []string{"Zalo (VNG)", "eSMS (ViHAT)"}, Delivers: true}}
}

// whole is a shop that keeps everything that can be kept.
func whole(t *testing.T) (Shop, Counts) {
	return Shop{ID: "hcm-q1-01", Name: "Quán Hiên", Asker: asker(t), Purposes: []consent.Purpose{consent.VisitFrequency, consent.ContactZalo},
			Platform: "cdp.example", BackupKey: true, Log: true},
		Counts{People: 1250, Leads: 1204, Previous: 80, ByUse: map[consent.Purpose]int{consent.VisitFrequency: 900, consent.ContactZalo: 700}, Sealed: 700, Marks: 950,
			Visits: 8123, Ledger: 1410, Proofs: 1300, Receipts: 1300, Queue: 12, Parked: 2, Erasures: 1, Graves: 3, Refusals: 310, Requests: 5, Audit: 40, Deleted: 55}
}

func TestTheInventoryReads(t *testing.T) {
	shop, counts := whole(t)
	basic := Shop{ID: "hcm-q1-02", Asker: consent.Asker{Policy: shop.Asker.Policy}, Purposes: []consent.Purpose{consent.ContactSMS}, OneTime: true}
	for name, inv := range map[string]Inventory{"whole": Make(shop, counts), "basic": Make(basic, Counts{})} {
		for _, language := range []string{"vi", "en"} {
			var b strings.Builder
			if err := Write(&b, inv, language); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > screen || strings.Contains(line, "{") {
					t.Errorf("%s.%s: a line that is too long, or has a hole: %s", name, language, line)
				}
			}
			path := filepath.Join("testdata", name+"."+language+".txt")
			if *update {
				if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(path, []byte(b.String()), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), b.String()); d != "" {
				t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, d)
			}
		}
	}
}

func ids(inv Inventory) (all []string) {
	for _, i := range inv.Items {
		all = append(all, i.ID)
	}
	return all
}

// TestOnlyWhatIsKeptStandsInIt: what is switched off, and of which nothing is
// left, does not; what is left from before does.
func TestOnlyWhatIsKeptStandsInIt(t *testing.T) {
	shop, counts := whole(t)
	if got := ids(Make(shop, counts)); len(got) != len(items) {
		t.Errorf("a shop that keeps everything: %v; want all %d kinds", got, len(items))
	}
	silent := Shop{ID: "a", Asker: shop.Asker}
	if got := ids(Make(silent, Counts{})); !slices.Equal(got, []string{"stay", "counting", "audit", "deletions"}) {
		t.Errorf("a shop that asks nothing: %v", got)
	}
	if got := ids(Make(silent, Counts{Leads: 1, Visits: 2, Sealed: 1})); !slices.Contains(got, "visits") || !slices.Contains(got, "sealed") || !slices.Contains(got, "lead") {
		t.Errorf("a shop that asks no more: %v; want what is left", got)
	}
	shop.OneTime = true
	if got := ids(Make(shop, Counts{})); slices.Contains(got, "visits") || slices.Contains(got, "mark") {
		t.Errorf("mode basic: %v; want no history", got)
	}
}

// TestTheMapInTheDocumentsIsTheSame: each row of the table in docs/privacy.md is
// an item of the inventory and each item a row, in one order.
func TestTheMapInTheDocumentsIsTheSame(t *testing.T) {
	text, err := os.ReadFile("../../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| item | what | of whom | where | until |\n|---|---|---|---|---|\n")
	table, _, ends := strings.Cut(table, "\n\n")
	if !found || !ends {
		t.Fatal("docs/privacy.md has no such table any more")
	}
	var rows []string
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(row, "| \n"), " | ")
		if len(cells) != 5 || slices.Contains(cells, "") {
			t.Errorf("%d cells; want 5, none of them empty: %s", len(cells), row)
		}
		rows = append(rows, strings.Trim(cells[0], "`"))
	}
	if d := cmp.Diff(ids(Make(whole(t))), rows); d != "" {
		t.Errorf("the items of the inventory, and the rows of docs/privacy.md (-items +rows):\n%s", d)
	}
}

func TestEveryKindIsWhole(t *testing.T) {
	for id, i := range items {
		for what, w := range map[string]consent.Words{"what": i.What, "of": i.Of, "where": i.Where, "until": i.Until, "basis": i.Basis} {
			if w.VI == "" || w.EN == "" {
				t.Errorf("%s: %s is not worded in both languages", id, what)
			}
		}
	}
}

func TestWhatTheOfficerIsTold(t *testing.T) {
	shop, counts := whole(t)
	says := func() string {
		text, err := json.Marshal(Make(shop, counts).Notes)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if s := says(); strings.Contains(s, "higher level of security") || !strings.Contains(s, "within 60 days") || !strings.Contains(s, "cdp.example") {
		t.Errorf("of a small shop: %s", s)
	}
	counts.Leads, counts.ByUse[consent.VisitFrequency] = 80_000, 8_000
	if s := says(); strings.Count(s, "higher level of security") != 2 {
		t.Errorf("of a large one: %s; want a note for each number", s)
	}
	shop.Asker.Controller.Transfer, shop.Asker.Controller.Contact, shop.BackupKey = "Singapore", "", false
	if s := says(); !strings.Contains(s, "Data goes to Singapore") || !strings.Contains(s, "The notice lacks controller_contact") || !strings.Contains(s, "There are no backups") || strings.Contains(s, "write option transfer") {
		t.Errorf("of one with gaps: %s", s)
	}
}
