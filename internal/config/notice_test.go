package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/consent"
)

// ownPolicy puts a policy of the owner's own into a directory.
func ownPolicy(t testing.TB, dir string) {
	t.Helper()
	text, err := os.ReadFile("../../consent/policies/vn-2026.json")
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), `"vn-2026.1"`, `"vn-2026.counsel"`, 1))
	if err := os.WriteFile(filepath.Join(dir, "policy.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckTellsWhatTheNoticeLacks(t *testing.T) {
	without := func(names ...string) func(string, *string) {
		return func(_ string, text *string) {
			for _, name := range names {
				for line := range strings.Lines(*text) {
					if strings.Contains(line, name) {
						*text = strings.Replace(*text, line, "\n", 1)
						break
					}
				}
			}
		}
	}
	const unasked = "nothing is asked, and guests come in all the same: "
	const lacks = "DIR/hien:19: " + unasked + "the notice of policy vn-2026 is not complete: write "
	for _, c := range []struct {
		name     string
		change   func(dir string, text *string)
		warnings []string
	}{
		{"nobody is told who asks", without("controller_name", "controller_address", "controller_tax_id", "controller_contact", "recipient"), []string{
			lacks + "option controller_name with the name of the company or person who decides about the data, as in 'Công ty TNHH Hiên Mẫu'",
			lacks + "option controller_address with its postal address, as in '1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh'",
			lacks + "option controller_tax_id with its tax id, as in '0000000001'",
			lacks + "option controller_contact with how to reach whoever answers for personal data, as in 'dpo@shop.example'",
			lacks + "list recipient with the name of who receives the data by the sink, as in 'Nền tảng CDP Mẫu'"}},
		{"no operator and no transfer is complete", without("operator", "transfer"), nil},
		{"the European policy asks for no tax id", func(dir string, text *string) {
			without("controller_tax_id")(dir, text)
			*text = strings.Replace(*text, "'vn-2026'", "'eu-gdpr'", 1)
		}, nil},
		{"nothing is asked anyway", func(dir string, text *string) {
			without("controller_name")(dir, text)
			*text = strings.ReplaceAll(strings.ReplaceAll(*text, "list purpose", "#"), "list code_garden", "#")
		}, nil},
		{"a policy of the owner's", func(dir string, text *string) {
			ownPolicy(t, dir)
			*text = strings.Replace(*text, "option policy 'vn-2026'", "option policy_file '"+dir+"/policy.json'", 1)
		}, nil},
		{"a policy of the owner's that is not there", func(dir string, text *string) {
			*text = strings.Replace(*text, "option policy 'vn-2026'", "option policy_file '"+dir+"/policy.json'", 1)
		}, []string{"DIR/hien:19: " + unasked + "read policy_file: open DIR/policy.json: no such file or directory: mend it, or take option policy_file out"}},
		{"a policy of the owner's that is damaged", func(dir string, text *string) {
			ownPolicy(t, dir)
			os.Truncate(dir+"/policy.json", 500)
			*text = strings.Replace(*text, "option policy 'vn-2026'", "option policy_file '"+dir+"/policy.json'", 1)
		}, []string{"DIR/hien:19: " + unasked + "policy_file DIR/policy.json: read policy: unexpected EOF: mend it, or take option policy_file out"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			warnings, faults := checked(t, c.change)
			var got []string
			for _, w := range warnings {
				if strings.Contains(w, unasked) {
					got = append(got, w)
				}
			}
			if d := cmp.Diff(c.warnings, got); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
			if len(faults) > 0 {
				t.Errorf("what keeps people from being asked keeps hien from running: %v", faults)
			}
		})
	}
}

func TestTheAskerIsWhomTheFileNames(t *testing.T) {
	c := parse(t, shop(t))
	got, err := c.Asker()
	if err != nil {
		t.Fatal(err)
	}
	want := consent.Controller{Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh", TaxID: "0000000001",
		Contact: "dpo@hien.example", Delivers: true, Recipients: []string{"Nền tảng CDP Mẫu"}, Operator: "Công ty Vận hành Mẫu", Transfer: "Singapore"}
	if d := cmp.Diff(want, got.Controller); d != "" || got.Policy.ID != "vn-2026" || !got.Ready() || c.OneTime() {
		t.Errorf("policy %s, ready %v, one time %v\n%s", got.Policy.ID, got.Ready(), c.OneTime(), d)
	}
	dir := t.TempDir()
	ownPolicy(t, dir)
	c = parse(t, strings.ReplaceAll(senders(t), "/etc/hien/policy.json", dir+"/policy.json"))
	if got, err = c.Asker(); err != nil || got.Policy.Version != "vn-2026.counsel" || got.Controller.Delivers {
		t.Errorf("got %+v, %v; want the owner's policy, and nothing delivered", got, err)
	}
}

// TestWhoIsGivenTheNumberIsNamed is R-CON-4: whoever sends a code is given the
// readable number, whether there is a sink or not.
func TestWhoIsGivenTheNumberIsNamed(t *testing.T) {
	const (
		zbs   = "config sender 'zalo'\n option type 'zbs'\n option app_id '1'\n option app_secret 's'\n option template_id '1'\n"
		esms  = "config sender 'sms'\n option type 'esms'\n option api_key 'k'\n option secret_key 's'\n option brandname 'B'\n"
		speed = "config sender 'speed'\n option type 'speedsms'\n option token 't'\n"
		hook  = "config sender 'brand'\n option type 'webhook'\n option url 'https://codes.brand.example'\n option secret 'whsec_YSBtYWRlLXVwIGtleSBvZiB0aGlydHktdHdvIGJ5dGVz'\n"
		other = "config sender 'other'\n option type 'webhook'\n option url 'https://other.brand.example'\n option secret 'whsec_YSBtYWRlLXVwIGtleSBvZiB0aGlydHktdHdvIGJ5dGVz'\n"
		log   = "config sender 'code'\n option type 'log'\n"
		till  = "config sender 'till'\n option type 'staff'\n"
		named = " option carrier 'Bên Gửi Mẫu'\n"
	)
	file := func(operator, senders string) string {
		return "config hien 'main'\n option store_id 'x'\n option single_shop '1'\n option controller_name 'A'\n option controller_address 'B'\n" +
			" option controller_tax_id '1'\n option controller_contact 'c@d.example'\n option operator '" + operator + "'\n" +
			"config zone 'guest'\n option interface 'br-guest'\n list purpose 'visit_frequency'\n" + senders
	}
	for name, c := range map[string]struct {
		operator, senders string
		names             string // joined; "" is not named yet
		says              string // part of the notice; empty: nothing is asked
	}{
		"the till gives it to nobody":             {"", till, "", "Không bên nào khác nhận dữ liệu này."},
		"the log gives it to nobody":              {"", log, "", "Không bên nào khác nhận dữ liệu này."},
		"an SMS without a sink":                   {"", esms + till, "eSMS (ViHAT)", "được chuyển cho eSMS (ViHAT), chỉ để"},
		"each provider, in their order":           {"", zbs + esms + speed, "Zalo (VNG), eSMS (ViHAT), SpeedSMS", "cho Zalo (VNG), eSMS (ViHAT), SpeedSMS, chỉ"},
		"a provider by another":                   {"Vận hành", speed + named, "Bên Gửi Mẫu", "được chuyển cho Bên Gửi Mẫu, chỉ"},
		"the brand's service of nobody's":         {"", esms + hook, "eSMS (ViHAT), ", ""},
		"the brand's service, run by an operator": {"Vận hành", hook, "Vận hành", "được chuyển cho Vận hành, chỉ"},
		"the brand's service by its name":         {"Vận hành", hook + named, "Bên Gửi Mẫu", "được chuyển cho Bên Gửi Mẫu, chỉ"},
		"two services of one are one":             {"Vận hành", hook + other, "Vận hành", "được chuyển cho Vận hành, chỉ"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := parse(t, file(c.operator, c.senders))
			a, err := cfg.Asker()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(a.Controller.Carriers, ", "); got != c.names {
				t.Errorf("given to %q, want %q", got, c.names)
			}
			why, todo := cfg.Unasked()
			if c.says == "" {
				want := "write option carrier of the sender of type webhook with the name of who runs the service that sends the codes, as in 'Công ty Nhắn tin Mẫu'"
				if why == "" || len(todo) != 1 || todo[0] != want || a.Ready() {
					t.Errorf("ready: %v, %s: %q, want %q", a.Ready(), why, todo, want)
				}
				return
			}
			n, err := a.Notice("vi", "Quán", []consent.Purpose{consent.VisitFrequency})
			if err != nil || why != "" {
				t.Fatalf("%v, %s %q", err, why, todo)
			}
			if !strings.Contains(n.Text(), c.says) || c.names != "" && strings.Contains(n.Text(), "Không bên nào khác") {
				t.Errorf("want %q in\n%s", c.says, n.Text())
			}
		})
	}

	operator := strings.Repeat("ữ", 120)
	parse(t, file(operator, zbs+esms+speed+hook))
	_, err := Parse("hien.uci", strings.NewReader(file(operator, zbs+esms+speed+hook+other+named)))
	const want = "the names of those who are given numbers by the senders have 169 characters, and a notice has room for 160"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestBasicKeepsNoHistory(t *testing.T) {
	text := strings.Replace(shop(t), "option mode 'frequency'", "option mode 'basic'", 1)
	_, err := Parse("hien.uci", strings.NewReader(text))
	const want = "hien.uci:36: purpose visit_frequency is a history of a person's visits, and option mode 'basic' keeps none: want another purpose, or option mode 'frequency' in config hien 'main'"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if c := parse(t, strings.Replace(text, "list purpose 'visit_frequency'", "", 1)); !c.OneTime() {
		t.Error("mode basic keeps more than a number and one time")
	}
}
