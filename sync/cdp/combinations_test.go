package cdp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/livebook"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/sync/cdp"
)

// asked are the purposes of a shop that asks for much.
var asked = []consent.Purpose{consent.VisitFrequency, consent.ContactZalo, consent.ContactSMS, consent.AdsAudience, "share_partner:tra-sua"}

// open is a door that lets everybody in, and phone a network that hands over
// every code.
type (
	open  struct{}
	phone struct{ last hien.Code }
)

func (open) Admit(context.Context, hien.GuestID, []netip.Addr, time.Duration) error { return nil }
func (open) Remove(context.Context, hien.GuestID, []netip.Addr) error               { return nil }

func (p *phone) Send(_ context.Context, m hien.Message) (hien.Proof, error) {
	p.last = m.Code
	return "test", nil
}

// TestWhatGoesUpstreamForEachAnswer has a guest of the real gateway agree to
// each combination of what is asked, stay, take the first purpose back and then
// everything, and holds what goes upstream against a golden file for each.
func TestWhatGoesUpstreamForEachAnswer(t *testing.T) {
	policy, err := consent.LoadPolicy("vn-2026")
	if err != nil {
		t.Fatal(err)
	}
	for bits := range 1 << len(asked) {
		var agreed []consent.Purpose
		name := "nothing"
		for i, p := range asked {
			if bits>>i&1 == 1 {
				agreed = append(agreed, p)
			}
		}
		if bits > 0 {
			name = strings.NewReplacer("[", "", "]", "", " ", "+", ":", "-").Replace(fmt.Sprint(agreed))
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := upstream(t, policy, agreed)
			for _, c := range calls {
				tellsTheTruth(t, policy, c, agreed)
			}
			golden(t, filepath.Join("testdata", "combinations", name+".txt"), readable(t, agreed, calls))
		})
	}
}

// upstream is what goes to a platform about one guest, in order.
func upstream(t *testing.T, policy *consent.Policy, agreed []consent.Purpose) (calls []map[string]any) {
	t.Helper()
	ctx, dir, log := t.Context(), t.TempDir(), slog.New(slog.DiscardHandler)
	router := hien.NewRouterKey()
	record, err := sqlite.Open(ctx, filepath.Join(dir, "record.db"), sqlite.Options{Signer: router.Signer(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer record.Close()
	book, err := livebook.Open(filepath.Join(dir, "livebook"), livebook.Options{Boot: bootA, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	brand, err := hien.ParseBrandKey("k1:" + strings.Repeat("01", 32))
	if err != nil {
		t.Fatal(err)
	}
	seal, _, err := hien.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	asker := consent.Asker{Policy: policy, Controller: consent.Controller{Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu",
		TaxID: "0000000001", Contact: "dpo@hien.example", Delivers: true, Recipients: []string{"Nền tảng CDP Mẫu"}}}
	network := new(phone)
	g := hien.NewGateway(hien.Parts{Record: record, Book: book, Door: open{}, Router: router, Log: log},
		hien.Settings{StoreID: "hcm-q1-01", StoreName: "Quán Hiên", Brand: brand, Seal: seal, Sender: network, Asker: asker,
			Zones: []hien.Zone{{Name: "guest", Interface: "br-guest", Pass: 4 * time.Hour, VisitGap: 30 * time.Minute, Purposes: asked}}})

	now := happened
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	later := func(d time.Duration) { now.Wall, now.Up = now.Wall.Add(d), now.Up+d }
	flush := func() {
		t.Helper()
		events, err := record.Batch(ctx, 100, now)
		must("build batch", err)
		text, err := cdp.Encode(key, events, now)
		must("encode", err)
		if bytes.Contains(text, []byte("987654321")) {
			t.Error("a readable number goes upstream")
		}
		var b struct {
			Batch []map[string]any `json:"batch"`
		}
		must("read back", json.Unmarshal(text, &b))
		calls = append(calls, b.Batch...)
		var ids []consent.ID
		for _, e := range events {
			ids = append(ids, e.ID())
		}
		must("deliver", record.Delivered(ctx, ids))
	}

	d := hien.Device{Guest: hien.GuestID{Zone: "guest", MAC: hien.MAC{2, 0, 0x5e, 0, 0, 1}}, Addr: netip.MustParseAddr("10.77.0.1")}
	_, err = g.Greet(ctx, d, now)
	must("greet", err)
	if len(agreed) == 0 {
		must("go on without", g.Admit(ctx, d, now))
	} else {
		notice, err := asker.Notice("vi", "Quán Hiên", asked)
		must("notice", err)
		number, err := hien.ParsePhone("0987654321")
		must("number", err)
		must("ask", g.Ask(ctx, d, hien.Application{OfAge: true, Phone: number, Agreed: agreed, Notice: notice, Browser: "Mozilla/5.0 (test)"}, now))
		must("prove", g.Prove(ctx, d, network.last, now))
	}
	flush()
	for range 2 {
		later(20 * time.Minute)
		must("see", g.Saw(ctx, hien.Sighting{Guest: d.Guest, Addr: d.Addr, Source: "arp"}, now))
	}
	later(5 * time.Hour)
	must("tick", g.Tick(ctx, now))
	flush()
	if len(agreed) == 0 {
		return calls
	}
	who := hien.Who{Subject: subjectOf(t, record)}
	must("withdraw one", g.Withdraw(ctx, who, agreed[:1], "test", now))
	flush()
	must("withdraw all", g.Withdraw(ctx, who, nil, "test", now))
	flush()
	return calls
}

func subjectOf(t *testing.T, record *sqlite.Store) consent.ID {
	t.Helper()
	people, err := record.Consents(t.Context(), 2)
	if err != nil || len(people) != 1 {
		t.Fatalf("%d people answered, %v; want one", len(people), err)
	}
	return people[0].Subject
}

// tellsTheTruth holds what no event may break, whatever was agreed to.
func tellsTheTruth(t *testing.T, policy *consent.Policy, call map[string]any, agreed []consent.Purpose) {
	t.Helper()
	told, _ := call["properties"].(map[string]any)
	if call["type"] == "identify" {
		told, _ = call["traits"].(map[string]any)
	}
	purpose := consent.Purpose(fmt.Sprint(told["purpose"]))
	said := call["context"].(map[string]any)["consent"].(map[string]any)["categoryPreferences"].(map[string]any)
	var withdrawn []string
	for _, p := range anys(told["withdrawn"]) {
		withdrawn = append(withdrawn, fmt.Sprint(p))
	}
	for _, p := range asked {
		yes, answered := said[string(p)].(bool)
		switch {
		case !answered:
			t.Errorf("%v does not say whether %s is allowed: without it some platforms take it for a yes", call["event"], p)
		case yes && !slices.Contains(agreed, p), yes && slices.Contains(withdrawn, string(p)):
			t.Errorf("%v says that %s is allowed, and it is not", call["event"], p)
		}
	}
	if told["purpose"] != nil && said[string(purpose)] != true {
		t.Errorf("an event for %s, which is not allowed", purpose)
	}
	_, sealed := told["sealed_phone"]
	if sealed != (call["type"] == "identify" && purpose.Reaches()) {
		t.Errorf("%v for %q: sealed number %v", call["type"], purpose, sealed)
	}
	if bytes.Contains(fmt.Append(nil, call), []byte("s1:")) != sealed {
		t.Errorf("%v for %q: the sealed number stands elsewhere", call["type"], purpose)
	}
	for _, p := range asked {
		name := strings.ReplaceAll(string(p), ":", "_")
		use, _ := policy.Use(p)
		told, want := fmt.Sprint(told[name+"_channels"], told[name+"_max_per_month"]), "<nil> <nil>"
		if call["type"] == "identify" && p == purpose && p.Reaches() {
			want = fmt.Sprint(use.Channels, use.MaxPerMonth)
		}
		if told != want {
			t.Errorf("%v for %q tells of %s %s; want %s", call["type"], purpose, p, told, want)
		}
	}
	management := call["context"].(map[string]any)["consentManagement"].(map[string]any)
	if n := len(anys(management["allowedConsentIds"])) + len(anys(management["deniedConsentIds"])); n != len(said) {
		t.Errorf("%d purposes for RudderStack, and %d for Segment", n, len(said))
	}
}

func anys(v any) []any {
	list, _ := v.([]any)
	return list
}

// readable writes calls one below the other, a line for each thing that is
// told. What is drawn anew each time is named in the order in which it comes.
func readable(t *testing.T, agreed []consent.Purpose, calls []map[string]any) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "agreed to: %v\n", agreed)
	drawn := map[string]string{}
	named := func(kind, value string) string {
		if drawn[value] == "" {
			drawn[value] = fmt.Sprintf("<%s %d>", kind, len(drawn)+1)
		}
		return drawn[value]
	}
	for _, c := range calls {
		title := fmt.Sprint(c["type"])
		if c["event"] != nil {
			title += fmt.Sprintf(" %q", c["event"])
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		flat := map[string]string{}
		lay(flat, "", c)
		for _, name := range slices.Sorted(maps.Keys(flat)) {
			value := flat[name]
			switch {
			case slices.Contains([]string{"type", "event", "timestamp", "sentAt", "context.consentManagement.provider", "context.consentManagement.resolutionStrategy"}, name),
				strings.HasPrefix(name, "context.library."):
				continue // in the title, or the same in each: other golden files have them
			case name == "messageId":
				value = "<new>"
			case strings.HasSuffix(name, "sealed_phone"):
				value = named("sealed number", value)
			case strings.HasSuffix(name, "sealed_for"), strings.HasSuffix(name, "_proof"):
				value = named("consent", value)
			}
			fmt.Fprintf(&b, "    %-66s %s\n", name, value)
		}
	}
	return b.String()
}

func lay(flat map[string]string, prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			lay(flat, strings.TrimPrefix(prefix+"."+name, "."), inner)
		}
	case []any:
		flat[prefix] = fmt.Sprint(v)
	default:
		flat[prefix] = fmt.Sprint(v)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", path, d)
	}
}
