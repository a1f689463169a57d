package consent_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/consent"
)

// TestEveryPackUsesEachConditionAndName: a condition or a name in braces that a
// pack does not use is something that its notices cannot tell.
func TestEveryPackUsesEachConditionAndName(t *testing.T) {
	// What a pack says in words of its own, and why.
	words := map[string][]string{
		"vn-2023": {"{withdraw_days}", "{erase_days}"},             // 72 hours for all
		"eu-gdpr": {"{withdraw_days}", "{erase_days}", "{tax_id}"}, // a month for all; no tax id is needed
	}
	for _, id := range consent.Policies() {
		p := policy(t, id)
		for _, when := range consent.Conditions {
			if !slices.ContainsFunc(p.Body, func(para consent.Paragraph) bool { return para.When == when }) {
				t.Errorf("%s: no paragraph is for when %q", id, when)
			}
		}
		vi, en := p.Title.VI, p.Title.EN
		for _, para := range p.Body {
			vi, en = vi+para.VI, en+para.EN
		}
		for _, use := range p.Purposes {
			vi, en = vi+use.VI.Line+use.VI.Detail, en+use.EN.Line+use.EN.Detail
		}
		for name := range strings.FieldsSeq(consent.Placeholders) {
			want := !slices.Contains(words[id], name)
			if inVI, inEN := strings.Contains(vi, name), strings.Contains(en, name); inVI != want || inEN != want {
				t.Errorf("%s: %s stands in the Vietnamese text: %v, in the English: %v; want %v", id, name, inVI, inEN, want)
			}
		}
	}
}

// TestEveryFactOfTheOwnersIsTold sets each field of a controller on its own, a
// new one too: the notice tells it, in each pack and language.
func TestEveryFactOfTheOwnersIsTold(t *testing.T) {
	const fact = "made-up fact"
	for _, id := range consent.Policies() {
		p := policy(t, id)
		least := consent.Controller{Name: "A", Address: "B", TaxID: "C", Contact: "D"}
		text := func(language string, c consent.Controller) string {
			n, err := p.Notice(language, "Quán", c, everyPurpose)
			if err != nil {
				t.Fatal(err)
			}
			return n.Text()
		}
		for field := range reflect.TypeFor[consent.Controller]().Fields() {
			c := least
			switch v := reflect.ValueOf(&c).Elem().FieldByIndex(field.Index); v.Interface().(type) {
			case string:
				v.SetString(fact)
			case []string:
				v.Set(reflect.ValueOf([]string{fact, "another"}))
			case bool:
				v.SetBool(true)
			default:
				t.Fatalf("this test knows no %s, of which %s is", field.Type, field.Name)
			}
			switch {
			case field.Name == "TaxID" && !slices.Contains(p.Needs, consent.FactTaxID):
				continue
			case field.Name == "Delivers": // is told by the recipients, which are needed then
				if got := p.Lacks(c); !slices.Equal(got, []consent.Fact{consent.FactRecipient}) {
					t.Errorf("%s: a controller that delivers to nobody lacks %v", id, got)
				}
				continue
			}
			for _, language := range []string{"vi", "en"} {
				switch got := text(language, c); {
				case field.Type.Kind() == reflect.Bool && got == text(language, least):
					t.Errorf("%s %s: the notice is the same with %s", id, language, field.Name)
				case field.Type.Kind() == reflect.String && !strings.Contains(got, fact),
					field.Type.Kind() == reflect.Slice && !strings.Contains(got, fact+", another"):
					t.Errorf("%s %s: the notice does not tell %s", id, language, field.Name)
				}
			}
		}
	}
}
