package consent_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/consent"
)

// noticeOf is the text of a notice as it is kept.
func noticeOf(t *testing.T, a consent.Asker, language string, purposes ...consent.Purpose) string {
	t.Helper()
	n, err := a.Notice(language, "Quán Hiên", purposes)
	if err != nil {
		t.Fatal(err)
	}
	return n.Text()
}

// TestWhoAskedIsReadOutOfTheNotice: all has changed since, and who asked then is
// told by the text that was kept.
func TestWhoAskedIsReadOutOfTheNotice(t *testing.T) {
	for _, id := range consent.Policies() {
		for _, language := range []string{"vi", "en"} {
			then := consent.Asker{Policy: policy(t, id), Controller: owner}
			then.Controller.Transfer, then.Controller.AccessLog, then.Controller.Delivers = "Singapore", true, true
			text := noticeOf(t, then, language, everyPurpose...)
			today := consent.Asker{Policy: policy(t, "vn-2026"), Controller: owner}
			today.Controller.Address, today.Controller.Contact, today.Controller.TaxID = "9 Đường Khác", "0900 000 000", "0000000009"
			today.Controller.Recipients, today.Controller.Operator = []string{"Bên Nhận Mới"}, ""
			r := today.Recall(text)
			if !r.Named || r.Store != "Quán Hiên" || r.Jurisdiction != then.Policy.Jurisdiction {
				t.Errorf("%s, %s: %+v; want it named, the shop, and %s", id, language, r, then.Policy.Jurisdiction)
				continue
			}
			c, want := r.Controller, then.Controller
			if c.Name != want.Name || c.Address != want.Address || c.Contact != want.Contact || c.Operator != want.Operator || c.Transfer != "Singapore" ||
				!slices.Equal(c.Recipients, want.Recipients) || !slices.Equal(c.Carriers, []string{strings.Join(want.Carriers, ", ")}) {
				t.Errorf("%s, %s: read %+v; want %+v", id, language, c, want)
			}
			today.Controller.Name = "Công ty Khác"
			if c := today.Recall(text).Controller; c.Name != want.Name+", "+want.Address || c.Address != "" || c.Contact != want.Contact {
				t.Errorf("%s, %s, of another company: read %+v; want name and address in one", id, language, c)
			}
			today.Controller.Address = want.Address
			if c := today.Recall(text).Controller; c.Name != want.Name || c.Address != want.Address {
				t.Errorf("%s, %s, of another company in the same place: read %+v", id, language, c)
			}
		}
	}
	if in := policy(t, "eu-gdpr").Jurisdiction; in != "EU" {
		t.Errorf("the GDPR is the law of %s", in)
	}
}

// TestNobodyIsNamedThatTheNoticeDoesNotName: none who receives it today, and
// nobody at all where the notice has words that no policy has.
func TestNobodyIsNamedThatTheNoticeDoesNotName(t *testing.T) {
	alone := owner
	alone.Recipients, alone.Operator, alone.Carriers = nil, "", nil
	then := consent.Asker{Policy: policy(t, "vn-2026"), Controller: alone}
	text := noticeOf(t, then, "vi", consent.VisitFrequency)
	today := consent.Asker{Policy: policy(t, "vn-2026"), Controller: owner}
	if r := today.Recall(text); !r.Named || len(r.Controller.Recipients) != 0 || r.Controller.Operator != "" {
		t.Errorf("a notice that names no recipient: %+v", r)
	}
	reworded := strings.Replace(text, "Quán không bán dữ liệu.", "Quán không cho ai dữ liệu.", 1)
	if r := today.Recall(reworded); r.Named || r.Jurisdiction != "VN" || r.Controller.Name != "" {
		t.Errorf("with words that the policy has no more: %+v; want the law alone", r)
	}
	for what, text := range map[string]string{
		"another's policy": strings.Replace(text, "notice vn-2026.", "notice brand.", 1),
		"no notice":        "Chào mừng đến Quán Hiên",
		"nothing":          "",
		"half a notice":    "notice vn-2026.1+01234567 (vi)\n\n",
	} {
		if r := today.Recall(text); r.Named {
			t.Errorf("%s: %+v; want nobody", what, r)
		}
	}
	if r := (consent.Asker{}).Recall(text); !r.Named || r.Controller.Contact != owner.Contact {
		t.Errorf("without a policy of today's: %+v; want the one that comes with Hiên", r)
	}
	strange := then
	strange.Controller.Name, strange.Controller.Contact = "A {address}. (B) $1", `a\b*`
	if r := strange.Recall(noticeOf(t, strange, "en", consent.ProfileExtra)); r.Controller.Name != strange.Controller.Name || r.Controller.Contact != strange.Controller.Contact {
		t.Errorf("of an owner with a strange name: %+v", r.Controller)
	}
}
