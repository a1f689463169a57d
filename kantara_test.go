package hien_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// The fields of the Kantara Consent Receipt 1.1.0 (section 6), each with its
// kind; one that begins with ? may be missing.
var (
	kantara = map[string]string{"version": "string", "jurisdiction": "string", "consentTimestamp": "integer", "collectionMethod": "string",
		"consentReceiptID": "string", "publicKey": "string", "language": "string", "piiPrincipalId": "string", "piiControllers": "list",
		"policyUrl": "string", "services": "list", "sensitive": "boolean", "spiCat": "list"}
	kantaraController = map[string]string{"piiController": "string", "onBehalf": "boolean", "contact": "string", "address": "object",
		"email": "string", "phone": "string", "?piiControllerUrl": "string"}
	kantaraService = map[string]string{"service": "string", "purposes": "list"}
	kantaraPurpose = map[string]string{"purpose": "string", "purposeCategory": "list", "consentType": "string", "piiCategory": "list",
		"primaryPurpose": "boolean", "termination": "string", "thirdPartyDisclosure": "boolean", "?thirdPartyName": "string"}
)

// conforms holds an object against the fields that it must and may have.
func conforms(t *testing.T, where string, v any, fields map[string]string) map[string]any {
	t.Helper()
	object, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%s is no object: %v", where, v)
	}
	left := maps.Clone(object)
	for name, kind := range fields {
		name, optional := strings.CutPrefix(name, "?")
		value, there := object[name]
		delete(left, name)
		if !there {
			if !optional {
				t.Errorf("%s lacks %s", where, name)
			}
			continue
		}
		var is string
		switch value := value.(type) {
		case string:
			is = "string"
		case bool:
			is = "boolean"
		case []any:
			is = "list"
		case map[string]any:
			is = "object"
		case json.Number:
			if _, err := value.Int64(); err == nil {
				is = "integer"
			}
		}
		if is != kind {
			t.Errorf("%s.%s is %v, want a %s", where, name, value, kind)
		}
	}
	if len(left) > 0 {
		t.Errorf("%s has fields that the specification does not know: %v", where, slices.Collect(maps.Keys(left)))
	}
	return object
}

func TestAConsentAsAKantaraReceipt(t *testing.T) {
	p := newPorch(t)
	p.give(device(1), "0987654321", consent.VisitFrequency, consent.ContactZalo)
	people, err := p.Person(t.Context(), hien.Who{Receipt: hien.ReceiptHash(p.greet(device(1)).Receipt)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := hien.Kantara(people[0], "Quán Hiên", consent.Controller{Name: "Công ty TNHH Hiên Mẫu", Address: "1 Đường Mẫu", Contact: "dpo@hien.example",
		Delivers: true, Recipients: []string{"Nền tảng CDP Mẫu"}}, p.parts.Router.Signer().Public())
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	r := conforms(t, "receipt", v, kantara)
	if r["version"] != "KI-CR-v1.1.0" || !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(r["consentReceiptID"].(string)) || r["sensitive"] != true {
		t.Errorf("got %s", text)
	}
	for _, c := range r["piiControllers"].([]any) {
		conforms(t, "controller", c, kantaraController)
	}
	purposes := 0
	for _, s := range r["services"].([]any) {
		for _, one := range conforms(t, "service", s, kantaraService)["purposes"].([]any) {
			purpose := conforms(t, "purpose", one, kantaraPurpose)
			if purposes++; purpose["consentType"] != "EXPLICIT" || purpose["thirdPartyName"] != "Nền tảng CDP Mẫu" {
				t.Errorf("purpose %v", purpose)
			}
		}
	}
	if purposes != 2 || strings.Contains(string(text), "987654321") || strings.Contains(string(text), "k1:") {
		t.Errorf("%d purposes\n%s", purposes, text)
	}
	if _, err := hien.Kantara(hien.Person{}, "Quán Hiên", consent.Controller{}, nil); err == nil {
		t.Error("a receipt of somebody who gave nothing")
	}
}
