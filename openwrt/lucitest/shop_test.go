package lucitest

import (
	"regexp"
	"strings"
	"time"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/doctor"
)

// now is the tests' time; the browser has its own, so that what depends on the
// day is made from the browser's.
var now = time.Date(2026, 11, 22, 14, 30, 0, 0, time.UTC)

// well is a shop in which all is well.
func well() control.Status {
	s := control.Status{
		Version: "0.1.0", Since: now.Add(-26 * time.Hour), UpSeconds: 26 * 3600, StoreID: "hcm-q1-01", StoreName: "Quán Hiên",
		Zones:    []control.Zone{{Name: "guest", Interface: "br-hien", State: control.ZoneOpen, Portal: []string{"10.20.0.1:2050"}, Guests: 12, WithPass: 9}},
		Record:   control.Record{State: control.RecordOpen, Journal: "wal"},
		Firewall: control.Firewall{Backend: "nftables"},
		Sniffer:  []control.Sniffer{{Interface: "br-hien", State: "listening", Frames: 120345}},
		Couriers: []control.Courier{{Sink: "cdp", State: control.CourierIdle, LastSuccess: now.Add(-2 * time.Minute)}},
		Clock:    control.Clock{InStep: true}, Internet: control.Internet{State: control.InternetUp}, Memory: 15 << 20,
	}
	s.Conclude(now)
	return s
}

// ill is the same shop with everything wrong that can be at once.
func ill() control.Status {
	s := well()
	s.Firewall.Broken, s.Firewall.Repairs, s.Firewall.LastRepair = "chain FORWARD: no jump", 3, now.Add(-30*time.Hour)
	s.Zones = append(s.Zones,
		control.Zone{Name: "terrace", Interface: "br-terrace", State: control.ZoneWaiting},
		control.Zone{Name: "roof", Interface: "br-roof", State: "port 2050 is in use <img src=x onerror=window.stranger=1>"})
	s.Record = control.Record{State: control.RecordClosed, Detail: "open record /srv/hien/hien.db: disk is full"}
	s.Couriers[0] = control.Courier{Sink: "cdp", State: control.CourierStopped, Detail: "401 Unauthorized", Since: now.Add(-15 * time.Hour), Waiting: 1204, Parked: 1}
	s.Internet = control.Internet{State: control.InternetDown, Waiting: 2}
	s.Clock.InStep = false
	s.Conclude(now)
	return s
}

// troubles are states of the shop with one thing wrong each, and all.
func troubles() []control.Status {
	all := []control.Status{ill()}
	for _, spoil := range []func(*control.Status){
		func(s *control.Status) { s.Firewall.Released = true },
		func(s *control.Status) { s.Firewall.Broken = "set hien_guest is missing" },
		func(s *control.Status) { s.Zones[0].State = control.ZoneWaiting },
		func(s *control.Status) { s.Zones[0].State = "port 2050 is in use" },
		func(s *control.Status) { s.Internet.State = control.InternetDown },
		func(s *control.Status) {
			s.Record = control.Record{State: control.RecordClosed, Detail: "disk is full"}
		},
		func(s *control.Status) {
			s.Record = control.Record{State: control.RecordUnreadable, Detail: "input/output error"}
		},
		func(s *control.Status) {
			s.Couriers[0] = control.Courier{Sink: "cdp", State: control.CourierStopped, Detail: "401 Unauthorized", Waiting: 1}
		},
		func(s *control.Status) {
			s.Couriers[0] = control.Courier{Sink: "cdp", State: control.CourierStopped, Detail: "401 Unauthorized", Waiting: 3, Since: now}
		},
		func(s *control.Status) { s.Couriers[0].Parked = 1 },
		func(s *control.Status) { s.Couriers[0].Parked = 4 },
		func(s *control.Status) {
			s.Couriers[0] = control.Courier{Sink: "cdp", State: control.CourierRetrying, Detail: "connection refused", Waiting: 1, Since: now}
		},
		func(s *control.Status) {
			s.Couriers[0] = control.Courier{Sink: "cdp", State: control.CourierRetrying, Detail: "connection refused", Waiting: 3, Since: now}
		},
		func(s *control.Status) {
			s.Couriers[0] = control.Courier{Sink: "cdp", State: control.CourierRetrying, Detail: "connection refused", Waiting: 3}
		},
		func(s *control.Status) { s.Requests = &control.Requests{Open: 3, Late: 1, Near: 1} },
		func(s *control.Status) { s.Requests = &control.Requests{Open: 3, Late: 2} },
		func(s *control.Status) { s.Requests = &control.Requests{Open: 3, Near: 1} },
		func(s *control.Status) { s.Requests = &control.Requests{Open: 3, Near: 2} },
		func(s *control.Status) { s.Unasked = unasked("") },
		func(s *control.Status) { s.AccessLog = &control.AccessLog{Trouble: "disk is full"} },
		func(s *control.Status) { s.Unasked = unasked("\toption policy_file '/nowhere.json'\n") },
	} {
		s := well()
		spoil(&s)
		s.Conclude(now)
		all = append(all, s)
	}
	return all
}

// unasked is what the daemon makes of settings in which nobody answers for the
// data, with more options of the shop.
func unasked(more string) *control.Unasked {
	cfg, err := config.Parse("hien", strings.NewReader(withMain(nobodyAnswers(settings), more)+
		"\nconfig sender 'brand'\n\toption type 'webhook'\n\toption url 'https://codes.example'\n\toption secret 'whsec_YSBtYWRlLXVwIGtleSBvZiB0aGlydHktdHdvIGJ5dGVz'\n\nconfig sink 'cdp'\n\toption type 'segment'\n\toption url 'https://cdp.example'\n\toption write_key 'k'\n"))
	if err != nil {
		panic(err)
	}
	why, todo := cfg.Unasked()
	return &control.Unasked{Why: why, Todo: todo}
}

// nobodyAnswers takes out who does, and who receives data.
func nobodyAnswers(text string) string {
	return regexp.MustCompile(`\t(option controller_name|list recipient) .*\n`).ReplaceAllString(text, "")
}

// withMain are settings with more options of the shop.
func withMain(text, more string) string {
	return strings.Replace(text, "config hien 'main'\n", "config hien 'main'\n"+more, 1)
}

// crowd is who is in the shop, masked or with whole addresses.
func crowd(full bool) control.List[control.Guest] {
	mac := func(last string) string {
		if full {
			return "02:00:5e:10:00:" + last
		}
		return "02:00:5e:··:··:··"
	}
	at := func(minutes int) (since, seen time.Time) {
		return now.Add(-time.Duration(minutes) * time.Minute), now.Add(-time.Minute)
	}
	list := control.List[control.Guest]{Total: 6}
	add := func(g control.Guest) {
		g.Zone = "guest"
		g.Since, g.LastSeen = at(30)
		list.Items = append(list.Items, g)
	}
	add(control.Guest{MAC: mac("01"), Addrs: []string{"10.20.0.17", "2001:db8::17"}, PassLeft: 3*3600 + 1800, Member: true})
	add(control.Guest{MAC: mac("02"), Addrs: []string{"10.20.0.18"}, PassLeft: 59, Gave: true})
	add(control.Guest{MAC: mac("03"), Addrs: []string{"10.20.0.19"}, AtCode: true, Waiting: true})
	add(control.Guest{MAC: mac("04"), Addrs: []string{"10.20.0.20"}, Blocked: true})
	add(control.Guest{MAC: mac("05"), Addrs: []string{"10.20.0.21"}, Trusted: true, PassLeft: 86400})
	add(control.Guest{MAC: mac("06")})
	return list
}

// stays are the latest visits: three of right now, which is of today by the
// browser's clock even just after midnight, one of
// the day before.
func stays(today time.Time) control.List[control.Visit] {
	list := control.List[control.Visit]{Total: 418}
	for i, ago := range []time.Duration{0, 0, 0, 48 * time.Hour} {
		list.Items = append(list.Items, control.Visit{ID: "5f0c2a9e4b7d41c38a6e0d9b1f2e3c4d", Subject: "6f0c2a9e4b7d41c38a6e0d9b1f2e3c4d", Zone: "guest", Start: today.Add(-ago), Number: i + 1})
	}
	return list
}

// people are those who agreed.
func people() control.List[control.Lead] {
	return control.List[control.Lead]{Total: 57, Items: []control.Lead{{Subject: "6f0c2a9e4b7d41c38a6e0d9b1f2e3c4d", Key: "k1:3fa9", Purposes: []consent.Purpose{consent.VisitFrequency}}}}
}

// sick is what the doctor finds in a shop where much is wrong.
func sick() doctor.Report {
	return doctor.Report{
		Summary: "Một số điện thoại không mở được trang chào. Cần sửa: 1. Nên xem: 1.",
		Phones: []doctor.Verdict{
			{Zone: "guest", OS: "Android", Opens: doctor.Opens, Probes: 20, Redirected: 20, Slowest: 3},
			{Zone: "guest", OS: "iOS", Opens: doctor.OpensPartly, Probes: 4, Redirected: 2, Slowest: 3},
			{Zone: "guest", OS: "Windows", Opens: doctor.OpensLate, Probes: 6, Redirected: 6, Slowest: 2100, Unproven: true},
			{Zone: "guest", OS: "Linux", Opens: doctor.OpensNot, Probes: 4},
		},
		Findings: []doctor.Finding{
			{ID: doctor.GateOpen, Severity: doctor.Bad, Zone: "guest", Text: "Cổng thứ hai đang mở (IPv6).", Command: "hien gate shut", Phones: []string{"iOS"}},
			{ID: doctor.NoInputRule, Severity: doctor.Warn, Zone: "guest", Text: "Vùng tường lửa guest chưa có luật <b>cho khách</b>.", Unproven: true,
				Command: "uci set firewall.hien_guest=rule && uci set firewall.hien_guest.src=guest && uci set firewall.hien_guest.proto='tcp udp' && uci commit firewall && /etc/init.d/firewall reload"},
			{ID: doctor.OtherRoutes, Severity: doctor.Note, Text: "Có chương trình khác chọn đường theo dấu gói tin (mwan3)."},
		},
	}
}

// shop fills a router with a shop.
func (r *router) shop(s control.Status) {
	r.t.Helper()
	r.answers("status", s)
	r.answers("guests", crowd(false))
	r.answers("guests-full", crowd(true))
	r.answers("leads", people())
	r.answers("visits", stays(time.Now()))
	r.answers("doctor", sick())
}
