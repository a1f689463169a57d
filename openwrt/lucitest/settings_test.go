package lucitest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// saved are the changes that a page has written, of what it has called.
func saved(calls []string) (changes []string) {
	for _, call := range calls {
		if strings.HasPrefix(call, "uci.") && !strings.HasPrefix(call, "uci.get ") {
			changes = append(changes, call)
		}
	}
	return changes
}

func TestSettingsShowWhatStands(t *testing.T) {
	r := newRouter(t)
	b := openBrowser(t, r)
	for _, c := range []struct {
		language, heading string
		width             int64
	}{{"vi", "Cài đặt WiFi khách", 360}, {"en", "Settings of the guest WiFi", 1024}} {
		b.width(c.width)
		b.show("settings", c.language, owner)
		b.picture("settings-" + c.language)
		if got := b.text("h2"); got != c.heading {
			t.Errorf("the heading is %q, want %q", got, c.heading)
		}
		for selector, want := range map[string]string{
			"#cbi-hien-main-store_name input":                        "Quán Hiên",
			"#cbi-hien-main-controller_name input":                   "Công ty TNHH Hiên Mẫu",
			"#cbi-hien-main-recipient .item *":                       "Nền tảng CDP Mẫu",
			"#cbi-hien-main-policy select":                           "vn-2026",
			"#cbi-hien-main-mode select":                             "frequency",
			"#cbi-hien-guest-offer textarea":                         "Trà đá tặng bạn.",
			"#cbi-hien-guest-pass input":                             "4h",
			"#cbi-hien-guest-idle input":                             "30m",
			"#cbi-hien-guest-down input":                             "8M",
			"#cbi-hien-guest-up input":                               "",
			"#cbi-hien-guest-trusted .item *":                        "02:00:5e:10:00:09",
			"#cbi-hien-guest-purpose :checked":                       "visit_frequency",
			"#cbi-hien-guest-purpose label:last-child input:checked": "share_partner:banh_mi",
		} {
			got := ask[string](b, fmt.Sprintf(`(e => e.value ?? e.innerText)(document.querySelector(%s))`, jsString(selector)))
			if got != want {
				t.Errorf("%s holds %q, want %q", selector, got, want)
			}
		}
	}
}

func TestSettingsSaveWhatWasChanged(t *testing.T) {
	r := newRouter(t)
	b := openBrowser(t, r)
	b.width(360)
	b.show("settings", "vi", owner)
	r.asked()
	save := func() []string {
		t.Helper()
		ask[bool](b, `(document.querySelector(".cbi-button-save").click(), true)`)
		b.await(`!document.querySelector(".cbi-button-save").disabled`)
		return saved(r.asked())
	}
	if got := save(); len(got) > 0 {
		t.Errorf("nothing was changed, and the page saved %q", got)
	}

	b.fill("#cbi-hien-main-store_name input", "Quán Hiên 2")
	b.fill("#cbi-hien-guest-offer textarea", "Cà phê thứ hai\ngiảm một nửa.")
	b.fill("#cbi-hien-guest-up input", "2M")
	b.fill("#cbi-hien-guest-idle input", "")
	b.fill("#cbi-hien-guest-blocked .add-item input", "02:00:5e:10:00:03")
	ask[bool](b, `(document.querySelector("#cbi-hien-guest-trusted .item").click(), document.querySelector("#cbi-hien-guest-purpose [value=profile_extra]").click(), document.querySelector("#cbi-hien-guest-garden_preset [value=ocsp]").click(), true)`)
	want := []string{
		`uci.delete {"config":"hien","options":["idle","trusted"],"section":"guest"}`,
		`uci.set {"config":"hien","section":"guest","values":{"blocked":["02:00:5e:10:00:03"],"garden_preset":["ocsp"],"offer":"Cà phê thứ hai giảm một nửa.","purpose":["visit_frequency","profile_extra","share_partner:banh_mi"],"up":"2M"}}`,
		`uci.set {"config":"hien","section":"main","values":{"store_name":"Quán Hiên 2"}}`,
	}
	got := save()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the page saved\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := save(); len(got) > 0 {
		t.Errorf("nothing was changed since, and the page saved %q", got)
	}
	for _, want := range [][]string{{`uci.set {"config":"hien","section":"main","values":{"enabled":"0"}}`}, nil, {`uci.delete {"config":"hien","options":["enabled"],"section":"main"}`}} {
		if want != nil {
			ask[bool](b, `(document.querySelector("#cbi-hien-main-enabled input").click(), true)`)
		}
		if got := save(); !slices.Equal(got, want) {
			t.Errorf("switched off, left so, or on again, the page saved %q, want %q", got, want)
		}
	}
}

func TestSettingsRefuseWhatIsNotAllowed(t *testing.T) {
	r := newRouter(t)
	b := openBrowser(t, r)
	b.width(360)
	b.show("settings", "vi", owner)
	r.asked()
	b.fill("#cbi-hien-guest-pass input", "5 tiếng")
	if got := ask[string](b, `document.querySelector("#cbi-hien-guest-pass input").dataset.tooltip`); got != "Xin nhập thời gian như 90s, 30m, 4h, 1h30m hoặc 7d, từ 1s đến 24d." {
		t.Errorf("the field says %q", got)
	}
	ask[bool](b, `(document.querySelector(".cbi-button-apply").click(), true)`)
	b.await(`document.body.classList.contains("modal-overlay-active")`)
	if got := b.text(".modal"); !strings.Contains(got, "Xin nhập thời gian") {
		t.Errorf("the page says %q", got)
	}
	if got := saved(r.asked()); len(got) > 0 {
		t.Errorf("the page saved %q", got)
	}
}

// TestSettingsAreCheckedBeforeTheyApply has a mistake that no single field
// shows: a device that is trusted and blocked.
func TestSettingsAreCheckedBeforeTheyApply(t *testing.T) {
	r := newRouter(t)
	b := openBrowser(t, r)
	for _, c := range []struct{ language, says, then string }{
		{"vi", "Hiên không dùng được cài đặt này và giữ cài đặt đang có:\nthiết bị bị chặn 02:00:5e:··:··:·· cũng nằm trong danh sách tin cậy",
			"Cài đặt dùng được. Nên xem lại:\n" + noSenderVI},
		{"en", "Hiên cannot use these settings, and keeps those it has:\nblocked 02:00:5e:··:··:·· is trusted as well",
			"The settings can be used. Worth a look:\n" + strings.ReplaceAll(noSender, "`", "")},
	} {
		r.configure(settings)
		b.width(360)
		b.show("settings", c.language, owner)
		r.asked()
		press := func(button string, applies bool) []string {
			t.Helper()
			ask[bool](b, `(delete window.applied, document.querySelector(".`+button+`").click(), true)`)
			b.await(`!document.querySelector(".` + button + `").disabled`)
			if applies {
				b.await(`"applied" in window`)
			}
			return r.asked()
		}
		b.fill("#cbi-hien-guest-blocked .add-item input", "02:00:5e:10:00:09")
		calls := press("cbi-button-apply", false)
		if got := saved(calls); len(got) != 1 || !strings.HasPrefix(got[0], "uci.set ") {
			t.Errorf("the page did %q", got)
		}
		if got := strings.TrimSpace(b.text(".hien-said")); !strings.HasPrefix(got, c.says) {
			t.Errorf("the page says %q, want %q", got, c.says)
		}
		b.picture("settings-wrong-" + c.language)
		if calls := press("unchecked", true); !slices.Contains(calls, `uci.apply {"rollback":false}`) {
			t.Errorf("without the check the page did %q", calls)
		}

		ask[bool](b, `(document.querySelector("#cbi-hien-guest-blocked .item").click(), true)`)
		calls = press("cbi-button-apply", true)
		if i, j := slices.Index(calls, "hien.check"), slices.Index(calls, `uci.apply {"rollback":true}`); i < 0 || j < i {
			t.Errorf("the page did %q: want a check, then the settings to be applied", calls)
		}
		if got := strings.TrimSpace(b.text(".hien-said")); got != c.then {
			t.Errorf("the page says %q; want %q", got, c.then)
		}
	}
	if got := r.called(); !slices.ContainsFunc(got, func(call string) bool { return call == "uci -P /var/run/rpcd/uci-"+string(owner)+" export hien" }) {
		t.Errorf("the router did %q: want what this session has saved to be looked at", got)
	}
}

func TestSettingsTellWarnings(t *testing.T) {
	r := newRouter(t)
	r.configure(settings + "\toption all_down '5M'\n")
	b := openBrowser(t, r)
	b.show("settings", "vi", owner)
	want := "Cài đặt dùng được. Nên xem lại:\n" + noSenderVI + "\ndown 8M cho mỗi khách lớn hơn all_down dành cho tất cả (5M): không giới hạn được ai"
	if got := strings.TrimSpace(b.text(".hien-said")); got != want {
		t.Errorf("the page says %q, want %q", got, want)
	}
}

func TestSettingsForWhomMayOnlyLook(t *testing.T) {
	r := newRouter(t)
	b := openBrowser(t, r)
	b.show("settings", "en", viewer)
	if got := ask[int](b, `document.querySelectorAll("#view input:enabled:not([type=hidden]), #view textarea:enabled, #view button:enabled").length`); got != 0 {
		t.Errorf("%d fields and buttons can be used: want none", got)
	}
	if len(r.denied) > 0 {
		t.Errorf("the page asked for what it may not: %q", r.denied)
	}
}

// TestEveryMistakeIsKnown holds the pages' words to those of the check: what a
// form can get wrong as a whole is said in Vietnamese.
func TestEveryMistakeIsKnown(t *testing.T) {
	r := newRouter(t)
	b := openBrowser(t, r)
	b.show("", "vi", owner)
	ask[bool](b, `L.require("hien.words").then(w => (window.words = w, true))`)
	const sender = "\nconfig sender 'code'\n\toption type 'log'\n"
	for _, c := range []struct{ name, more string }{
		{"a purpose without a seal key", "\tlist purpose 'contact_zalo'\n"},
		{"a place for children, with purposes", "\toption children '1'\n"},
		{"a device that is trusted and blocked", "\tlist blocked '02:00:5e:10:00:09'\n"},
		{"more for one than for all", "\toption all_down '5M'\n"},
		{"too little for all", "\toption all_down '64k'\n"},
		{"a volume for longer than a day", "\toption volume '1G'\n\toption visit_gap '1h'\n"},
		{"a policy that cannot be read", "main: \toption policy_file '/nowhere.json'\n" + sender},
		{"visits, of which nothing is kept", "main: \toption mode 'basic'\n"},
		{"nobody who answers for the data, receives it or carries codes", "\nconfig sender 'brand'\n\toption type 'webhook'\n\toption url 'https://codes.example'\n\toption secret 'whsec_YSBtYWRlLXVwIGtleSBvZiB0aGlydHktdHdvIGJ5dGVz'\n" + "\nconfig sink 'cdp'\n\toption type 'segment'\n\toption url 'https://cdp.example'\n\toption write_key 'k'\n"},
		{"a number and no brand key, and codes in the log", sender},
	} {
		text := settings
		if strings.Contains(c.name, "seal key") {
			text = strings.Replace(text, "option seal_key", "option brand_key_file '/nowhere'\n#", 1)
		}
		if strings.Contains(c.more, "volume") {
			text = strings.Replace(text, "option pass '4h'", "option pass '7d'", 1)
		}
		if strings.Contains(c.name, "nobody") {
			text = nobodyAnswers(text)
		}
		if more, ok := strings.CutPrefix(c.more, "main: "); ok {
			option, rest, _ := strings.Cut(more, "\n")
			text, c.more = withMain(text, option+"\n"), rest
		}
		r.configure(text + c.more)
		reply := ask[[]string](b, `L.require("hien.calls").then(c => c.check()).then(a => a.says)`)
		if len(reply) == 0 {
			t.Errorf("%s: nothing is said", c.name)
		}
		for _, line := range reply {
			if said := ask[string](b, "words.say("+jsString(line)+")"); said == strings.TrimPrefix(line, "warning: ") || strings.Contains(said, "%s") {
				t.Errorf("%s: %q is said as %q", c.name, line, said)
			}
		}
	}
}
