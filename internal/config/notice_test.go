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
