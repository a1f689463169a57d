package hien_test

import (
	"encoding/json"
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
func kantaraOf(t *testing.T, p hien.Person, owner consent.Controller, pub []byte) (map[string]any, string) {
	t.Helper()
	text, err := hien.Kantara(p, "Quán Hiên", owner, pub)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any), string(text)
}

func TestAConsentAsAKantaraReceipt(t *testing.T) {
	p := newPorch(t)
	p.give(device(1), "0987654321", consent.VisitFrequency, consent.ContactZalo)
	people, err := p.Person(t.Context(), hien.Who{Receipt: hien.ReceiptHash(p.greet(device(1)).Receipt)})
	if err != nil {
		t.Fatal(err)
	}
	schema, pub := kantaraSchema(t), p.parts.Router.Signer().Public()
	owner := consent.Controller{Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu", Contact: "dpo@hien.example",
		Delivers: true, Recipients: []string{"Nền tảng CDP Mẫu"}}
	r, text := kantaraOf(t, people[0], owner, pub)
	if err := schema.Validate(r); err != nil {
		t.Errorf("%v\n%s", err, text)
	}

	// What the schema leaves open.
	for _, name := range []string{"publicKey", "language"} {
		if r[name] == nil {
			t.Errorf("the receipt lacks %s", name)
		}
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(r["consentReceiptID"].(string)) || r["sensitive"] != true {
		t.Errorf("got %s", text)
	}
	purposes := 0
	for _, s := range r["services"].([]any) {
		for _, one := range s.(map[string]any)["purposes"].([]any) {
			purpose := one.(map[string]any)
			if purposes++; purpose["purpose"] == nil || purpose["primaryPurpose"] == nil || purpose["consentType"] != "EXPLICIT" || purpose["thirdPartyName"] != "Nền tảng CDP Mẫu" {
				t.Errorf("purpose %v", purpose)
			}
		}
	}
	if purposes != 2 || strings.Contains(text, "987654321") || strings.Contains(text, "k1:") {
		t.Errorf("%d purposes\n%s", purposes, text)
	}

	// A shop that hands nothing on, and is reached by telephone.
	alone := consent.Controller{Name: "Nguyễn Thị Mẫu", Address: "2 Đường Mẫu", Contact: "028 7300 0000"}
	if r, text := kantaraOf(t, people[0], alone, pub); schema.Validate(r) != nil {
		t.Errorf("%v\n%s", schema.Validate(r), text)
	}
	if _, err := hien.Kantara(hien.Person{}, "Quán Hiên", consent.Controller{}, nil); err == nil {
		t.Error("a receipt of somebody who gave nothing")
	}
}

func TestTheKantaraSchemaFindsWhatIsWrong(t *testing.T) {
	p := newPorch(t)
	p.give(device(1), "0987654321", consent.VisitFrequency)
	people, err := p.Person(t.Context(), hien.Who{Receipt: hien.ReceiptHash(p.greet(device(1)).Receipt)})
	if err != nil {
		t.Fatal(err)
	}
	schema := kantaraSchema(t)
	owner := consent.Controller{Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu", Contact: "dpo@hien.example",
		Delivers: true, Recipients: []string{"Nền tảng CDP Mẫu"}}
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
	sound, _ := kantaraOf(t, people[0], owner, nil)
	for _, name := range slices.Sorted(maps.Keys(sound)) {
		if name != "publicKey" && name != "language" {
			wrong["no "+name] = func(r map[string]any) { delete(r, name) }
		}
	}
	for what, spoil := range wrong {
		r, _ := kantaraOf(t, people[0], owner, nil)
		if spoil(r); schema.Validate(r) == nil {
			t.Errorf("%s: the schema says nothing", what)
		}
	}
}
