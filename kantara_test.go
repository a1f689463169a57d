package hien_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// kantaraSchema is the schema of the Kantara Consent Receipt 1.1.0.
func kantaraSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile("testdata/kantara-1.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// kantaraOf is the receipt of what is kept of a person, with its text.
func kantaraOf(t *testing.T, p hien.Person, today consent.Asker, key ed25519.PublicKey) (map[string]any, string) {
	t.Helper()
	text, _, err := hien.Kantara(p, today, "Quán Hiên", key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any), string(text)
}

// given is what is kept of a person who agreed to the purposes.
func (p *porch) given(purposes ...consent.Purpose) hien.Person {
	p.Helper()
	p.giveAs(device(1), "0987654321", purposes...)
	people, err := p.Person(p.Context(), hien.Who{Receipt: hien.ReceiptHash(p.greet(device(1)).Receipt)})
	if err != nil {
		p.Fatal(err)
	}
	return people[0]
}

// purposesOf are the purposes of a receipt.
func purposesOf(r map[string]any) (all []map[string]any) {
	for _, s := range r["services"].([]any) {
		for _, one := range s.(map[string]any)["purposes"].([]any) {
			all = append(all, one.(map[string]any))
		}
	}
	return all
}

func TestAConsentAsAKantaraReceipt(t *testing.T) {
	p := newPorch(t)
	person := p.given(consent.VisitFrequency, consent.ContactZalo)
	schema, key := kantaraSchema(t), p.parts.Router.Signer().Public()
	r, text := kantaraOf(t, person, p.settings.Asker, key)
	if err := schema.Validate(r); err != nil {
		t.Errorf("%v\n%s", err, text)
	}

	// What the schema leaves open.
	if r["publicKey"] != base64.StdEncoding.EncodeToString(key) || r["language"] == nil || r["jurisdiction"] != "VN" {
		t.Errorf("got %s", text)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(r["consentReceiptID"].(string)) || r["sensitive"] != true {
		t.Errorf("got %s", text)
	}
	for _, purpose := range purposesOf(r) {
		if purpose["purpose"] == nil || purpose["primaryPurpose"] == nil || purpose["consentType"] != "EXPLICIT" || purpose["thirdPartyName"] != "Nền tảng CDP Mẫu" {
			t.Errorf("purpose %v", purpose)
		}
	}
	if n := len(purposesOf(r)); n != 2 || strings.Contains(text, "987654321") || strings.Contains(text, "k1:") {
		t.Errorf("%d purposes\n%s", n, text)
	}
	if r, text := kantaraOf(t, person, p.settings.Asker, hien.NewRouterKey().Signer().Public()); r["publicKey"] != nil || schema.Validate(r) != nil {
		t.Errorf("with a key that signed nothing of it: %v\n%s", schema.Validate(r), text)
	}
	if _, _, err := hien.Kantara(hien.Person{}, p.settings.Asker, "Quán Hiên", nil); err == nil {
		t.Error("a receipt of somebody who gave nothing")
	}
}

// TestAKantaraReceiptIsOfWhatWasShown: the shop asks by another law today, and
// others receive; the receipt names those that the person's notice named.
func TestAKantaraReceiptIsOfWhatWasShown(t *testing.T) {
	for _, id := range consent.Policies() {
		p := newPorch(t)
		p.settings.Asker = asker(t, id)
		p.settings.Asker.Controller.Contact = "028 7300 0000"
		p.Reload(p.settings)
		person := p.given(consent.ContactZalo)
		want := map[string]string{"eu-gdpr": "EU", "vn-2023": "VN", "vn-2026": "VN"}[id]

		today := asker(t, "vn-2026")
		today.Controller.Contact, today.Controller.Recipients = "moi@hien.example", []string{"Bên Nhận Mới"}
		text, asShown, err := hien.Kantara(person, today, "Quán Mới", nil)
		if err != nil || !asShown {
			t.Fatalf("%s: %v, as shown %v", id, err, asShown)
		}
		r, _ := kantaraOf(t, person, today, nil)
		by := r["piiControllers"].([]any)[0].(map[string]any)
		if r["jurisdiction"] != want || by["contact"] != "028 7300 0000" || by["phone"] != "028 7300 0000" || by["email"] != "" || by["piiController"] != "Công ty TNHH Hiên Mẫu" ||
			purposesOf(r)[0]["thirdPartyName"] != "Nền tảng CDP Mẫu" || r["services"].([]any)[0].(map[string]any)["service"] != "Quán Hiên" || kantaraSchema(t).Validate(r) != nil {
			t.Errorf("%s: want %s, and the names of then:\n%s", id, want, text)
		}
	}

	// A shop that hands nothing on today, and whose policy of then is gone.
	p := newPorch(t)
	person := p.given(consent.ContactZalo)
	person.Given[0].Notice = strings.Replace(person.Given[0].Notice, "notice vn-2026.", "notice brand.", 1)
	alone := asker(t, "eu-gdpr")
	alone.Controller.Delivers, alone.Controller.Recipients = false, nil
	text, asShown, err := hien.Kantara(person, alone, "Quán Mới", nil)
	if r, _ := kantaraOf(t, person, alone, nil); err != nil || asShown || r["jurisdiction"] != "EU" || purposesOf(r)[0]["thirdPartyDisclosure"] != false || kantaraSchema(t).Validate(r) != nil {
		t.Errorf("%v, as shown %v; want what is so today, and that it is told\n%s", err, asShown, text)
	}
	p = newPorch(t)
	p.settings.Asker.Controller.Delivers, p.settings.Asker.Controller.Recipients = false, nil
	p.settings.Zones[0].Purposes = []consent.Purpose{"share_partner:banh-mau"}
	p.Reload(p.settings)
	person = p.given("share_partner:banh-mau")
	if r, _ := kantaraOf(t, person, alone, nil); purposesOf(r)[0]["thirdPartyDisclosure"] != true || !strings.Contains(fmt.Sprint(purposesOf(r)[0]["thirdPartyName"]), "banh-mau") {
		t.Errorf("a partner gets it, and the receipt says %v", purposesOf(r))
	}
}

func TestTheKantaraSchemaFindsWhatIsWrong(t *testing.T) {
	p := newPorch(t)
	person := p.given(consent.VisitFrequency)
	schema := kantaraSchema(t)
	purpose := func(r map[string]any) map[string]any {
		return r["services"].([]any)[0].(map[string]any)["purposes"].([]any)[0].(map[string]any)
	}
	wrong := map[string]func(r map[string]any){
		"another version":                 func(r map[string]any) { r["version"] = "KI-CR-v1.0.0" },
		"a time with a fraction":          func(r map[string]any) { r["consentTimestamp"] = json.Number("1.5") },
		"a time that is text":             func(r map[string]any) { r["consentTimestamp"] = "1510592400" },
		"an id that is no UUID":           func(r map[string]any) { r["consentReceiptID"] = "5f0c2a9e" },
		"a policy without an address":     func(r map[string]any) { r["policyUrl"] = "privacy" },
		"a field of its own":              func(r map[string]any) { r["leadKey"] = "x" },
		"no controller":                   func(r map[string]any) { r["piiControllers"] = []any{} },
		"sensitive without saying how":    func(r map[string]any) { r["spiCat"] = []any{} },
		"a purpose without its category":  func(r map[string]any) { delete(purpose(r), "purposeCategory") },
		"a kind of consent unheard of":    func(r map[string]any) { purpose(r)["consentType"] = "SILENT" },
		"handed on, and not said to whom": func(r map[string]any) { delete(purpose(r), "thirdPartyName") },
	}
	sound, _ := kantaraOf(t, person, p.settings.Asker, nil)
	for _, name := range slices.Sorted(maps.Keys(sound)) {
		if name != "publicKey" && name != "language" {
			wrong["no "+name] = func(r map[string]any) { delete(r, name) }
		}
	}
	for what, spoil := range wrong {
		r, _ := kantaraOf(t, person, p.settings.Asker, nil)
		if spoil(r); schema.Validate(r) == nil {
			t.Errorf("%s: the schema says nothing", what)
		}
	}
}
