package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hien-wifi/hien/internal/otp"
)

func senders(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/senders.uci")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSendersAreReadInTheirOrder(t *testing.T) {
	c := parse(t, senders(t))
	want := []otp.Options{
		{Name: "zalo", Type: "zbs", AppID: "4208675309", AppSecret: "made-up-app-secret", Template: "310001", TemplateEN: "310002", Parameter: "otp",
			TokenFile: "/etc/hien/zbs.token", TokenURL: "https://oauth.zaloapp.com"},
		{Name: "sms", Type: "esms", APIKey: "MADE-UP-API-KEY", SecretKey: "MADE-UP-SECRET-KEY", Brandname: "QuanHien", SMSType: "2",
			Text: "{code} la ma xac minh WiFi cua {shop}.", TextEN: "{code} is your WiFi code at {shop}.", Origin: "wifi.shop.example"},
		{Name: "speed", Type: "speedsms", Token: "made-up-token"},
		{Name: "brand", Type: "webhook", URL: "https://codes.brand.example/hien", CAFile: "/etc/hien/brand-ca.pem", Secret: "whsec_YSBtYWRlLXVwIGtleSBvZiB0aGlydHktdHdvIGJ5dGVz"},
	}
	for i := range want {
		want[i].Shop, want[i].Store, want[i].Parameter, want[i].TokenFile = "Quán Hiên", "hcm-q1-01", "otp", "/etc/hien/zbs.token"
	}
	if got := c.Codes(); !reflect.DeepEqual(got, want) {
		for i := range got {
			t.Errorf("sender %d: %s", i, cmp.Diff(want[i], got[i]))
		}
	}
	if !c.StaffCode() || !c.SingleShop || c.CodesPerDay != 300 || !c.ForeignNumbers || !c.Asks() {
		t.Errorf("staff %v, single shop %v, %d codes, foreign %v, asks %v", c.StaffCode(), c.SingleShop, c.CodesPerDay, c.ForeignNumbers, c.Asks())
	}
	if text := fmt.Sprintf("%v %+v %#v", c.Senders, c.Senders, c.Codes()); strings.Contains(text, "made-up-app-secret") || strings.Contains(text, "MADE-UP") || strings.Contains(text, "whsec") {
		t.Errorf("a secret was printed: %s", text)
	}
	log := parse(t, shop(t))
	if got := log.Codes(); len(got) != 1 || got[0].Type != "log" || log.StaffCode() || log.SingleShop || log.ForeignNumbers {
		t.Errorf("codes %v, staff %v; want the log alone", got, log.StaffCode())
	}
}

// TestTheBrandsKeysAreOnASingleRouterOnly takes single_shop out of a good file.
func TestTheBrandsKeysAreOnASingleRouterOnly(t *testing.T) {
	text := strings.Replace(senders(t), "\toption single_shop '1'\n", "", 1)
	_, err := Parse("hien.uci", strings.NewReader(text))
	if err == nil {
		t.Fatal("a brand's keys were let on a router of many")
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != 3 {
		t.Errorf("got %d errors; want those of zbs, esms and speedsms:\n%s", len(got), err)
	}
	for _, want := range []string{"type zbs", "two routers of one account lock each other out", "type esms", "type speedsms", "option single_shop '1'", "type webhook"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in\n%s", want, err)
		}
	}
	chain := []string{"config sender 'zalo'", "config sender 'sms'", "config sender 'speed'"}
	for _, section := range chain { // without them it is good
		a := strings.Index(text, section)
		b := a + strings.Index(text[a:], "\n\n") + 2
		text = text[:a] + text[b:]
	}
	c := parse(t, text)
	if got := c.Codes(); len(got) != 1 || got[0].Type != "webhook" {
		t.Errorf("codes %v; want the brand's service", got)
	}
}

func TestEveryTypeHasItsOptionsAndEveryOptionItsType(t *testing.T) {
	for _, kind := range senderTypes() {
		if _, ok := senderOptions[kind]; !ok {
			t.Errorf("type %s has no row in senderOptions", kind)
		}
	}
	if len(senderOptions) != len(senderTypes()) {
		t.Errorf("%d rows in senderOptions; want one for each of %v", len(senderOptions), senderTypes())
	}
	for _, o := range senderKind().options {
		types := takers(o.name)
		if o.name != "type" && len(types) == 0 {
			t.Errorf("option %s belongs to no type", o.name)
		}
		for _, kind := range types {
			if len(types) < 4 && !strings.Contains(o.manual, "`"+kind+"`") && o.name != "text_en" {
				t.Errorf("the manual of %s does not say that it is for %s", o.name, kind)
			}
		}
	}
	for kind, o := range senderOptions {
		for name := range strings.FieldsSeq(o.needs + " " + o.takes) {
			if !slices.ContainsFunc(senderKind().options, func(row option[Sender]) bool { return row.name == name }) {
				t.Errorf("type %s has an option %s that there is not", kind, name)
			}
		}
	}
}

// TestCheckOfSenders looks at the files that senders name.
func TestCheckOfSenders(t *testing.T) {
	for _, c := range []struct {
		name     string
		mode     os.FileMode
		change   func(dir string, text *string)
		warnings []string
		faults   []string
	}{
		{"all in order", 0o600, func(string, *string) {}, nil, nil},
		{"keys that the daemon's group reads", 0o640, func(string, *string) {}, nil, nil},
		{"no token", 0o600, func(dir string, _ *string) { os.Remove(dir + "/zbs.token") },
			[]string{"DIR/hien:28: there is no token_file DIR/zbs.token: put the official account's refresh token there, alone in its line; until then no Zalo message goes out"}, nil},
		{"a token that others may read", 0o600, func(dir string, _ *string) { os.Chmod(dir+"/zbs.token", 0o640) },
			[]string{"DIR/hien:28: others may read DIR/zbs.token (mode 0640): run `chmod 600 DIR/zbs.token`"}, nil},
		{"certificates that are none", 0o600, func(dir string, _ *string) { os.WriteFile(dir+"/brand-ca.pem", []byte("hello"), 0o600) }, nil,
			[]string{"DIR/hien:54: ca_file DIR/brand-ca.pem: no certificate in it: want PEM, beginning with -----BEGIN CERTIFICATE-----"}},
		{"certificates that are not there", 0o600, func(dir string, _ *string) { os.Remove(dir + "/brand-ca.pem") }, nil,
			[]string{"DIR/hien:54: read certificates of sender brand: open DIR/brand-ca.pem: no such file or directory"}},
		{"keys that others may read", 0o644, func(string, *string) {},
			[]string{"DIR/hien:29: others may read the app_secret (mode 0644): run `chmod 640 DIR/hien`",
				"DIR/hien:39: others may read the api_key (mode 0644): run `chmod 640 DIR/hien`",
				"DIR/hien:40: others may read the secret_key (mode 0644): run `chmod 640 DIR/hien`",
				"DIR/hien:49: others may read the token (mode 0644): run `chmod 640 DIR/hien`",
				"DIR/hien:55: others may read the secret (mode 0644): run `chmod 640 DIR/hien`"}, nil},
		{"a page that there is not", 0o600, func(_ string, text *string) {
			*text = strings.Replace(*text, "option origin 'wifi.shop.example'", "option origin 'menu.shop.example'", 1)
		}, []string{"DIR/hien:45: origin menu.shop.example is no zone's api_name: phones do not fill in the code"}, nil},
		{"foreign numbers that nobody reaches", 0o600, func(dir string, text *string) {
			a, b := strings.Index(*text, "config sender 'brand'"), strings.Index(*text, "config sender 'till'")
			*text = (*text)[:a] + (*text)[b:]
		}, []string{"DIR/hien:12: no sender reaches a number outside of Vietnam: a code goes there by a sender of type webhook only"}, nil},
		{"a till's code that is never asked for", 0o600, func(_ string, text *string) {
			*text = strings.Replace(*text, "list purpose 'visit_frequency'", "list purpose 'contact_sms'", 1)
			*text = strings.Replace(*text, "option single_shop", "option seal_key '"+sealKey+"'\n\toption single_shop", 1)
		}, []string{"DIR/hien:60: the staff's code is never taken: every purpose must reach the person, and it proves no number"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			text := strings.ReplaceAll(senders(t), "/etc/hien", dir)
			certificate(t, dir, "wifi.shop.example", "An authority", noon.AddDate(0, 0, -1), noon.AddDate(0, 0, 60))
			for name, content := range map[string]string{"zbs.token": "refresh", "brand.key": "k1:" + strings.Repeat("ab", 32)} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cert, err := os.ReadFile(dir + "/api.crt")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir+"/brand-ca.pem", cert, 0o600); err != nil {
				t.Fatal(err)
			}
			ownPolicy(t, dir)
			text = strings.Replace(text, "option store_id", "option brand_key_file '"+dir+"/brand.key'\n\toption store_id", 1)
			c.change(dir, &text)
			if err := os.WriteFile(dir+"/hien", []byte(text), c.mode); err != nil {
				t.Fatal(err)
			}
			cfg, err := Load(dir + "/hien")
			if err != nil {
				t.Fatal(err)
			}
			warnings, err := cfg.Check()
			var got []string
			for _, w := range warnings {
				if !strings.Contains(w, "dnsmasq_dir") { // of the API
					got = append(got, strings.ReplaceAll(w, dir, "DIR"))
				}
			}
			if d := cmp.Diff(c.warnings, got); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
			var faults []string
			if err != nil {
				faults = strings.Split(strings.ReplaceAll(err.Error(), dir, "DIR"), "\n")
			}
			if d := cmp.Diff(c.faults, faults); d != "" {
				t.Errorf("errors (-want +got):\n%s", d)
			}
		})
	}
}
