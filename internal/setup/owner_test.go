package setup_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/setup"
)

func TestEveryPhraseIsSaidInEveryLanguage(t *testing.T) {
	verb := regexp.MustCompile(`%\[(\d)\]`)
	verbs := func(text string) []string {
		all := verb.FindAllString(text, -1)
		slices.Sort(all)
		return slices.Compact(all)
	}
	for p := range setup.Phrases() {
		en, vi := setup.PhraseIn(p, setup.English), setup.PhraseIn(p, setup.Vietnamese)
		if en == "" || vi == "" || en == vi && len(en) > 20 {
			t.Errorf("phrase %d: %q, %q; want both", p, en, vi)
		}
		if !slices.Equal(verbs(en), verbs(vi)) {
			t.Errorf("phrase %d: %q says %v, and %q says %v", p, en, verbs(en), vi, verbs(vi))
		}
		if strings.Contains(en+vi, "!") {
			t.Errorf("phrase %d has an exclamation mark", p)
		}
	}
}

func TestLanguages(t *testing.T) {
	for word, want := range map[string]setup.Language{"vi": "vi", "vi_VN.UTF-8": "vi", "en-GB": "en", "EN": "en", "C": "", "": "", "fr_FR": ""} {
		if got, ok := setup.ParseLanguage(word); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t; want %q", word, got, ok, want)
		}
	}
}

func TestProposeID(t *testing.T) {
	for name, want := range map[string]string{
		"Quán Hiên": "quan-hien", "  Phở 24 – Đường Nguyễn Huệ ": "pho-24-duong-nguyen-hue", "ỨỪỬỮỰ ỹ": "uuuuu-y",
		"茶": "", "A very long name of a shop that never ends": "a-very-long-name-of-a-shop-that", "-x-": "x", "Ca\u0301 Kho": "ca-kho",
	} {
		if got := setup.ProposeID(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// A tty is a terminal at which somebody types a line whenever he is asked for
// one, and sees what he types.
type tty struct {
	seen  strings.Builder
	typed []string
	keys  *io.PipeWriter
	in    *io.PipeReader
}

func newTTY(typed string) *tty {
	y := &tty{typed: strings.SplitAfter(typed, "\n")}
	y.in, y.keys = io.Pipe()
	return y
}

func (y *tty) Write(p []byte) (int, error) {
	y.seen.Write(p)
	if !strings.HasSuffix(string(p), "> ") {
		return len(p), nil
	}
	if y.typed[0] == "" {
		return len(p), y.keys.Close()
	}
	line := y.typed[0]
	y.typed = y.typed[1:]
	y.seen.WriteString(line)
	_, err := io.WriteString(y.keys, line)
	return len(p), err
}

// talk lets an owner answer the questions about a router by typing.
func talk(t *testing.T, r *setup.Router, l setup.Language, typed string, given map[string]string) (setup.Answers, string, error) {
	t.Helper()
	q, err := r.Ask()
	must(t, err)
	y := newTTY(typed)
	err = setup.NewOwner(y.in, y, l, false).Answer(context.Background(), q, given)
	return q.Answers, y.seen.String(), err
}

func TestAConversation(t *testing.T) {
	for _, c := range []struct {
		name, router string
		language     setup.Language
		typed        string
	}{
		{"talk-en", "25.12-own-guests", setup.English, "Quan\n\nbr-lan\nbr-x\nnew\n192.168.1.1/24\n10.9.0.1\n\nQuan\nQuan 2\nradio7\nradio1\nperhaps\nyes\n1,9\n1, contact_zalo\nCông ty Mẫu\n1 Đường Mẫu\n999999999999999999999999999999999\n0000000001\ndpo@shop.example\nx\nnew\nfax\nlog\n"},
		{"talk-vi", "22.03-two-radios", setup.Vietnamese, "Tạp hóa Ba Mươi\n\n\n\nall\ncó\nkhông\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, said, err := talk(t, readRouter(t, c.router), c.language, c.typed, nil)
			must(t, err)
			golden(t, c.name, said)
			for line := range strings.Lines(said) {
				if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
					t.Errorf("%d columns, want at most 80: %s", n, line)
				}
			}
		})
	}
}

func TestAnswersByFlags(t *testing.T) {
	r := readRouter(t, "25.12-own-guests")
	all := map[string]string{"store-name": "Quan", "store-id": "q-1", "interface": "new", "network": "10.9.0.1/22", "ssid": "Khách", "radios": "radio1",
		"owe": "no", "purposes": "contact_sms,share_partner:acme", "seal-key": "new", "sender": "none",
		"controller-name": "Công ty Mẫu", "controller-address": "1 Đường Mẫu", "controller-tax-id": "0000000001", "controller-contact": "none"}
	a, said, err := talk(t, r, setup.English, "", all)
	if err != nil || said != "" {
		t.Fatalf("got %v, and %q was asked; want nothing", err, said)
	}
	if a.Network.String() != "10.9.0.1/22" || a.SSID != "Khách" || len(a.Radios) != 1 || len(a.Purposes) != 2 || !a.NewSeal || a.Sender != "" ||
		a.Facts[consent.FactName] != "Công ty Mẫu" || a.Facts[consent.FactTaxID] != "0000000001" || a.Facts[consent.FactContact] != "" {
		t.Errorf("got %+v", a)
	}
	for flag, c := range map[string]struct{ value, says string }{
		"network":   {"10.9.0.1", "--network: 10.9.0.1 does not do for guests"},
		"interface": {"br-lan", "--interface: br-lan is the shop's own network"},
		"radios":    {"radio0,radio9", "--radios: There is no WiFi device radio9"},
		"owe":       {"maybe", "--owe: Want yes or no"},
		"purposes":  {"spam", `--purposes: "spam" is no purpose`},
		// The page has room for so many.
		"purposes ": {"share_partner:a,1,share_partner:b,share_partner:a,share_partner:c", "--purposes: The page has room for 2 partners"},
		"seal-key":  {"key", "--seal-key: A seal key is hien-seal-1:"},
		"sender":    {"pigeon", `--sender: "pigeon" is no way`},
		// The purpose must reach the person.
		"sender ":    {"staff", "--sender: With staff alone no number is taken"},
		"ssid":       {" ", "--ssid: This needs an answer"},
		"masquerade": {"yes", "--masquerade does not apply"},

		"controller-tax-id": {strings.Repeat("9", 33), "--controller-tax-id has at most 32 characters"},
	} {
		given := maps.Clone(all)
		given[strings.TrimSpace(flag)] = c.value
		if _, _, err := talk(t, r, setup.English, "", given); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("--%s %q: got %v, want %q", flag, c.value, err, c.says)
		}
	}
	given := maps.Clone(all)
	given["controller-name"] = "none" // nobody's address
	if _, _, err := talk(t, r, setup.English, "", given); err == nil || !strings.Contains(err.Error(), "--controller-address does not apply") {
		t.Errorf("an address of nobody: got %v", err)
	}
	given = maps.Clone(all)
	given["interface"] = "guest" // by the name that the owner gave it
	delete(given, "network")
	if a, _, err := talk(t, r, setup.English, "", given); err != nil || a.Interface != "br-guest" {
		t.Errorf("--interface guest: got %q, %v; want br-guest", a.Interface, err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	_, _, err := talk(t, readRouter(t, "22.03-two-radios"), setup.Vietnamese, "Quán\n", nil)
	var no *setup.Refusal
	if !errors.As(err, &no) || !strings.Contains(setup.Vietnamese.Words(err), "Không có ai trả lời") {
		t.Errorf("got %v, want that nobody answers", err)
	}
	// A name must be said: there is none to propose.
	q, err := readRouter(t, "22.03-two-radios").Ask()
	must(t, err)
	if err := setup.NewOwner(strings.NewReader(""), io.Discard, setup.English, true).Answer(t.Context(), q, nil); err == nil || !strings.Contains(err.Error(), "--store-name") {
		t.Errorf("got %v, want that the name is needed", err)
	}
}

func TestAMachineWithoutOpenWrt(t *testing.T) {
	r := &setup.Router{Systemd: true, Links: []string{"eth0", "lo", "wlan0"}, Files: map[string][]byte{}}
	q, err := r.Ask()
	must(t, err)
	out := newTTY("Quán Hiên\n\na/b\nwlan0\n\nno\n\n")
	o := setup.NewOwner(out.in, out, setup.English, false)
	must(t, o.Answer(t.Context(), q, nil))
	p, err := r.Plan(q.Answers)
	must(t, err)
	if ok, err := o.GoAhead(t.Context(), p, q); !ok || err != nil {
		t.Errorf("an empty line: got %t, %v; want yes", ok, err)
	}
	texts, err := setup.Edit(r.Files, p.Changes)
	must(t, err)
	golden(t, "plain", out.seen.String()+"--\n"+strings.Join(setup.CommandLines(p.Changes), "\n")+"\n--"+string(texts["hien"]))
	if len(texts) != 1 {
		t.Errorf("%d files are written, want Hiên's own alone", len(texts))
	}
	if _, err := r.Plan(setup.Answers{StoreName: "Quán", StoreID: "quan"}); err == nil || !strings.Contains(err.Error(), "eth0, wlan0") {
		t.Errorf("without an interface: got %v, want which there are", err)
	}
}

func TestTheOwnerDecides(t *testing.T) {
	for _, c := range []struct {
		name     string
		typed    string
		yes      bool
		seen     setup.Seen
		returned bool
		says     string
	}{
		{"yes", "có\n", false, setup.Seen{}, false, "Guests are served: the portal opens."},
		{"no", "perhaps\nno\n", false, setup.Seen{}, true, "Want yes or no."},
		{"nothing at all", "", false, setup.Seen{}, true, "`hien setup --confirm` in another terminal does the same"},
		{"yes, though guests are not served", "yes\n", false, setup.Seen{Bad: []string{"no page"}}, false, "- no page"},
		{"not asked", "", true, setup.Seen{}, false, "Guests are served"},
		{"yes, though no guest could be played", "yes\n", false, setup.Seen{Unproven: []string{"no veth"}}, false, "no guest could be played: whether phones get to the portal is not proven. Try it with a phone. - no veth Keep it so?"},
		{"not asked, and no guest could be played", "", true, setup.Seen{Unproven: []string{"no veth"}}, false, "is not proven. Try it with a phone. - no veth"},
		{"not asked, and what was played without a guest is bad", "", true, setup.Seen{Bad: []string{"no page"}, Unproven: []string{"no veth"}}, true, "Guests are not served as they should be: - no page - no veth"},
		{"not asked, and guests are not served", "", true, setup.Seen{Bad: []string{"no page"}}, true, "- no page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, 1)
				trial := m.try()
				trial.Seen = c.seen
				var out strings.Builder
				began := time.Now()
				err := setup.NewOwner(strings.NewReader(c.typed), &out, setup.English, c.yes).Decide(t.Context(), trial)
				if errors.Is(err, setup.ErrReturned) != c.returned {
					t.Errorf("got %v, want returned %t", err, c.returned)
				}
				if flat := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(flat, c.says) {
					t.Errorf("said %q, want %q in it", flat, c.says)
				}
				if served := strings.Contains(out.String(), "Guests are served:"); served != (len(c.seen.Bad)+len(c.seen.Unproven) == 0) {
					t.Errorf("it says that guests are served: %t, having seen %+v", served, c.seen)
				}
				if c.typed == "" && !c.yes && time.Since(began) < setup.Patience {
					t.Errorf("put back after %v, want %v", time.Since(began), setup.Patience)
				}
				want := "after"
				if c.returned {
					want = "before"
				}
				m.holds(want)
			})
		})
	}
}

func TestKeepSealWaitsUntilItIsWrittenDown(t *testing.T) {
	var out strings.Builder
	must(t, setup.NewOwner(strings.NewReader("\nno\nyes\n"), &out, setup.English, false).KeepSeal(t.Context(), "hien-unseal-1:made-up"))
	if said := out.String(); strings.Count(said, "hien-unseal-1:made-up") != 1 || strings.Count(said, "written it down?") != 3 {
		t.Errorf("said %q, want the key once and the question three times", said)
	}
}

func TestReadRouter(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		must(t, os.MkdirAll(root+"/"+name[:strings.LastIndex(name, "/")], 0o755))
		must(t, os.WriteFile(root+"/"+name, []byte(text), 0o600))
	}
	hien := root + "/etc/config/hien"
	r, err := setup.ReadRouter(root, hien)
	if err != nil || r.OpenWrt || len(r.Files) != 0 {
		t.Errorf("an empty root: got %+v, %v; want nothing", r, err)
	}
	write("etc/openwrt_release", "DISTRIB_ID='OpenWrt'\n")
	write("sbin/fw4", "")
	write("etc/config/network", "config interface 'lan'\n")
	write("etc/config/hien", "config hien 'main'\n")
	write("tmp/.uci/network", "-network.lan\n")
	write("tmp/.uci/hien", "")
	if r, err = setup.ReadRouter(root, hien); err != nil {
		t.Fatal(err)
	}
	want := &setup.Router{OpenWrt: true, FW4: true, Unsaved: []string{"network"},
		Files: map[string][]byte{"network": []byte("config interface 'lan'\n"), "hien": []byte("config hien 'main'\n")}}
	if d := cmp.Diff(want, r); d != "" {
		t.Errorf("router (-want +got):\n%s", d)
	}
	write("etc/config/dhcp", strings.Repeat("#", 1<<20+1))
	if _, err := setup.ReadRouter(root, hien); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file that is too large: got %v, want an error", err)
	}
	if r, err := setup.ReadRouter("", hien); err != nil || !slices.Contains(r.Links, "lo") {
		t.Errorf("this machine: got %+v, %v; want its interfaces", r, err)
	}
}
