package doctor

import (
	"fmt"
	"strings"
)

// A Language is one of the report's.
type Language string

// The languages. The zero Language is English.
const (
	English    Language = "en"
	Vietnamese Language = "vi"
)

// ParseLanguage reads a language as --lang and LANG name it: en, vi_VN.UTF-8.
func ParseLanguage(s string) (Language, bool) {
	code, _, _ := strings.Cut(strings.ToLower(s), "_")
	code, _, _ = strings.Cut(code, "-")
	switch l := Language(code); l {
	case English, Vietnamese:
		return l, true
	}
	return "", false
}

// findings are what each finding says. The same arguments go into every
// language: %[1]v is the first.
var findings = map[ID]map[Language]string{
	NotRunning: {
		English:    "Hiên does not run. No page opens, and nobody new gets in.",
		Vietnamese: "Hiên chưa chạy. Trang chào không mở được, khách mới không vào mạng được.",
	},
	RulesBroken: {
		English:    "The rules of the firewall are not as Hiên wants them: %[1]v.",
		Vietnamese: "Các luật tường lửa không đúng như Hiên cần: %[1]v.",
	},
	Released: {
		English:    "`hien cleanup` took the rules out: nobody is stopped, and nobody is greeted.",
		Vietnamese: "Lệnh `hien cleanup` đã gỡ hết luật: không ai bị chặn, và cũng không ai được chào.",
	},
	ZoneShut: {
		English:    "The portal is not open on %[2]v: %[1]v.",
		Vietnamese: "Trang chào chưa mở trên %[2]v: %[1]v.",
	},
	GateOpen: {
		English:    "The second gate is open (%[1]v): if a program empties the firewall, everybody gets out without the portal.",
		Vietnamese: "Cổng thứ hai đang mở (%[1]v): nếu có chương trình nào xoá tường lửa, mọi người sẽ vào mạng mà không qua trang chào.",
	},
	MarkTaken: {
		English:    "The mark bit of Hiên, %[1]v, is also used by the routing rules of %[2]v: guests' packets may take the wrong way.",
		Vietnamese: "Bit đánh dấu %[1]v của Hiên cũng đang được luật định tuyến của %[2]v dùng: gói tin của khách có thể đi sai đường.",
	},
	OtherRoutes: {
		English:    "Another program chooses routes by marks (%[1]v). It does not touch the bit of Hiên, and goes on working.",
		Vietnamese: "Có chương trình khác chọn đường theo dấu gói tin (%[1]v). Nó không đụng đến bit của Hiên và vẫn chạy bình thường.",
	},
	Offload: {
		English:    "Flow offloading is on: long connections pass by every rule, so that volume, idle time and speed of a guest are not counted fully.",
		Vietnamese: "Tính năng flow offloading đang bật: kết nối dài đi vòng qua các luật, nên dung lượng, thời gian rảnh và tốc độ của khách không được tính đủ.",
	},
	TwoFirewalls: {
		English:    "Two packet filters are in force at once (%[1]v). What one of them refuses, the other cannot allow.",
		Vietnamese: "Có hai bộ lọc gói tin cùng chạy (%[1]v). Bên này đã chặn thì bên kia không mở được.",
	},
	NoInputRule: {
		English:    "The firewall zone %[1]v has no rule that lets guests reach the router at: %[2]v.",
		Vietnamese: "Vùng tường lửa %[1]v chưa có luật cho khách tới bộ định tuyến ở: %[2]v.",
	},
	NoForwarding: {
		English:    "The firewall zone %[1]v has no forwarding: guests with a pass do not reach the internet.",
		Vietnamese: "Vùng tường lửa %[1]v chưa được chuyển tiếp ra ngoài: khách đã được vào cũng không ra internet được.",
	},
	NoFirewall: {
		English:    "The guest interface %[1]v is in no zone of the firewall.",
		Vietnamese: "Giao diện mạng khách %[1]v không thuộc vùng tường lửa nào.",
	},
	NeighTable: {
		English:    "The kernel remembers at most %[1]v neighbours over %[3]v, and %[2]v may come: the last ones get no answer.",
		Vietnamese: "Nhân hệ thống chỉ nhớ được %[1]v thiết bị qua %[3]v, trong khi có thể có tới %[2]v: những khách đến sau sẽ không có mạng.",
	},
	ReversePath: {
		English:    "Strict reverse-path filtering is on with more than one way to the internet: answers by the second way are dropped.",
		Vietnamese: "Bộ lọc đường về (rp_filter) đang ở mức chặt trong khi có nhiều đường ra internet: gói trả lời qua đường thứ hai bị bỏ.",
	},
	NotRouting: {
		English:    "The router does not forward %[1]v: nobody gets out.",
		Vietnamese: "Bộ định tuyến không chuyển tiếp %[1]v: không ai ra internet được.",
	},
	NoAddress: {
		English:    "No address is left for the next guest: all %[2]v of the DHCP range are given out.",
		Vietnamese: "Không còn địa chỉ cho khách tiếp theo: cả %[2]v địa chỉ DHCP đã phát hết.",
	},
	FewAddresses: {
		English:    "Few addresses are left: %[1]v of the %[2]v in the DHCP range are given out.",
		Vietnamese: "Sắp hết địa chỉ: đã phát %[1]v trong %[2]v địa chỉ DHCP.",
	},
	Conntrack: {
		English:    "The table of connections is nearly full: %[1]v of %[2]v. New connections are dropped when it is.",
		Vietnamese: "Bảng kết nối gần đầy: %[1]v trên %[2]v. Khi đầy, kết nối mới sẽ bị bỏ.",
	},
	BridgeFilter: {
		English:    "Frames within a bridge go through the firewall as well (br_netfilter). Guests are still stopped; it costs time.",
		Vietnamese: "Khung trong cầu mạng cũng đi qua tường lửa (br_netfilter). Khách vẫn bị chặn đúng, nhưng máy chạy chậm hơn.",
	},
	NoInternet: {
		English:    "The router has no way to the internet. No name resolves, and so no phone opens the portal by itself.",
		Vietnamese: "Bộ định tuyến không có đường ra internet. Không tên miền nào phân giải được, nên điện thoại không tự mở trang chào.",
	},
	ClockWrong: {
		English:    "The clock is not in step yet. Certificates may look too old or too new until it is.",
		Vietnamese: "Đồng hồ chưa được chỉnh đúng. Trước khi chỉnh xong, chứng chỉ có thể bị coi là chưa có hiệu lực hoặc đã hết hạn.",
	},
	NoGuest: {
		English:    "No guest could be played on %[2]v: %[1]v. What only a guest can see is unproven.",
		Vietnamese: "Không thử được như một khách trên %[2]v: %[1]v. Những gì chỉ khách mới thấy thì chưa kiểm chứng.",
	},
	NoDHCP: {
		English:    "A guest gets no address: %[1]v.",
		Vietnamese: "Khách không nhận được địa chỉ mạng: %[1]v.",
	},
	NoRouterAdv: {
		English:    "The router has IPv6 here, and a guest gets no IPv6 address.",
		Vietnamese: "Bộ định tuyến có IPv6 ở đây, nhưng khách không nhận được địa chỉ IPv6.",
	},
	NoDNS: {
		English:    "The router does not answer guests' questions for names (port 53 on %[1]v).",
		Vietnamese: "Bộ định tuyến không trả lời khách hỏi tên miền (cổng 53 trên %[1]v).",
	},
	DNSElsewhere: {
		English:    "DHCP sends guests to the resolver %[1]v, which they do not reach before they are in.",
		Vietnamese: "DHCP chỉ khách tới máy chủ tên miền %[1]v, nơi khách chưa vào mạng thì không tới được.",
	},
	NoNames: {
		English:    "The router's resolver answers and knows no name of the internet.",
		Vietnamese: "Máy chủ tên miền của bộ định tuyến có trả lời, nhưng không biết tên nào trên internet.",
	},
	PrivateNames: {
		English:    "Names of probes have private addresses here: %[1]v. Phones take that for a network without internet.",
		Vietnamese: "Tên miền kiểm tra mạng lại có địa chỉ nội bộ ở đây: %[1]v. Điện thoại sẽ cho là mạng không có internet.",
	},
	NoRedirect: {
		English:    "%[4]v probes are not sent to the portal (%[2]v): %[1]v instead.",
		Vietnamese: "%[4]v lượt kiểm tra mạng không được đưa tới trang chào (%[2]v): %[1]v.",
	},
	NoPage: {
		English:    "Phones are sent to %[1]v, and no page is there: %[2]v.",
		Vietnamese: "Điện thoại được đưa tới %[1]v nhưng trang không mở: %[2]v.",
	},
	SlowPage: {
		English:    "The portal's page took %[1]v. Guests give it two seconds.",
		Vietnamese: "Trang chào mất %[1]v mới mở. Khách chỉ đợi khoảng hai giây.",
	},
	DoorOpen: {
		English:    "A guest without a pass gets out: %[1]v.",
		Vietnamese: "Khách chưa được vào vẫn ra ngoài được: %[1]v.",
	},
	Dropped: {
		English:    "Attempts before the login are dropped and not refused: %[1]v. Phones wait before they open the portal.",
		Vietnamese: "Trước khi vào mạng, gói tin bị bỏ im lặng thay vì từ chối: %[1]v. Điện thoại phải đợi lâu mới mở trang chào.",
	},
	AdminOpen: {
		English:    "Guests reach the router's own services: %[1]v.",
		Vietnamese: "Khách tới được dịch vụ quản trị của bộ định tuyến: %[1]v.",
	},
	APINotThere: {
		English:    "The captive portal API %[1]v is not announced by DHCP. Its certificate may be missing or near its end.",
		Vietnamese: "DHCP không báo địa chỉ API %[1]v. Chứng chỉ có thể thiếu hoặc sắp hết hạn.",
	},
	APICert: {
		English:    "DHCP announces %[1]v, and phones do not trust its certificate: %[2]v.",
		Vietnamese: "DHCP báo địa chỉ %[1]v, nhưng điện thoại không tin chứng chỉ của nó: %[2]v.",
	},
	APIBroken: {
		English:    "DHCP announces %[1]v, and it is of no use: %[2]v.",
		Vietnamese: "DHCP báo địa chỉ %[1]v, nhưng không dùng được: %[2]v.",
	},
}

// outcomes are the words for what a probe met instead of the portal.
var outcomes = map[Outcome]map[Language]string{
	Silent:  {English: "nothing came back", Vietnamese: "không có gì trả lời"},
	Refused: {English: "the connection was refused", Vietnamese: "kết nối bị từ chối"},
	Wrong:   {English: "something else answered", Vietnamese: "có thứ khác trả lời"},
}

// phrases are the other words of a report.
var phrases = map[string]map[Language]string{
	"all open":   {English: "Every phone opens the portal.", Vietnamese: "Mọi điện thoại đều mở được trang chào."},
	"open but":   {English: "Every phone opens the portal, but something is wrong.", Vietnamese: "Mọi điện thoại đều mở được trang chào, nhưng có điều cần sửa."},
	"after wait": {English: "Phones open the portal, after a wait.", Vietnamese: "Điện thoại mở được trang chào, nhưng phải đợi."},
	"some":       {English: "Some phones do not open the portal.", Vietnamese: "Một số điện thoại không mở được trang chào."},
	"none":       {English: "No phone opens the portal.", Vietnamese: "Không điện thoại nào mở được trang chào."},
	"not known":  {English: "Nothing is known of the portal, as nothing could be tried.", Vietnamese: "Chưa biết trang chào ra sao, vì không thử được gì."},
	"unproven":   {English: "That was asked of the portal itself and not tried as a guest.", Vietnamese: "Điều này chỉ hỏi trực tiếp trang chào, chưa thử như một khách."},
	"to mend":    {English: "To mend: %d.", Vietnamese: "Cần sửa: %d."},
	"to look at": {English: "To look at: %d.", Vietnamese: "Nên xem: %d."},

	"ZONE": {English: "ZONE", Vietnamese: "VÙNG"}, "PHONES": {English: "PHONES", Vietnamese: "MÁY"},
	"PORTAL": {English: "PORTAL", Vietnamese: "TRANG CHÀO"}, "PROBES": {English: "PROBES", Vietnamese: "KIỂM TRA"},
	"WITHIN": {English: "WITHIN", Vietnamese: "TRONG"},
	Opens:    {English: "opens", Vietnamese: "mở được"}, OpensLate: {English: "opens late", Vietnamese: "mở chậm"},
	OpensPartly: {English: "opens sometimes", Vietnamese: "lúc được lúc không"}, OpensNot: {English: "does not open", Vietnamese: "không mở"},
	"of": {English: "%d of %d", Vietnamese: "%d/%d"}, "asked only": {English: "%s (unproven)", Vietnamese: "%s (chưa chắc)"},

	"firewall": {English: "firewall", Vietnamese: "tường lửa"}, "no filter": {English: "none", Vietnamese: "không có"},
	"ours":   {English: " (Hiên uses %s)", Vietnamese: " (Hiên dùng %s)"},
	"played": {English: "played", Vietnamese: "đã thử"},
	"guest":  {English: "as a guest of zone %s with %s", Vietnamese: "như một khách của vùng %s với %s"},
	"page":   {English: ", the page after %d ms", Vietnamese: ", trang chào mở sau %d ms"},
	"asked":  {English: "zone %s only at the portal's own port", Vietnamese: "vùng %s chỉ hỏi cổng của trang chào"},
	"not":    {English: "zone %s not at all", Vietnamese: "vùng %s không thử được"},

	"bad": {English: "BAD", Vietnamese: "HỎNG"}, "warn": {English: "WARN", Vietnamese: "NÊN SỬA"}, "note": {English: "NOTE", Vietnamese: "GHI CHÚ"}, "ok": {English: "OK", Vietnamese: "ỔN"},
	"in zone":     {English: "Zone %s. ", Vietnamese: "Vùng %s. "},
	"felt by":     {English: " Felt by: %s.", Vietnamese: " Máy bị ảnh hưởng: %s."},
	"by settings": {English: " This was read from settings and not tried.", Vietnamese: " Điều này đọc từ cấu hình, chưa thử."},
	"nothing":     {English: "Nothing is wrong.", Vietnamese: "Không có gì cần sửa."},
}

func (l Language) pick(words map[Language]string) string {
	if text, ok := words[l]; ok {
		return text
	}
	return words[English]
}

func (l Language) say(key string, args ...any) string {
	text := l.pick(phrases[key])
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// finding puts a finding into words.
func (l Language) finding(f Finding) string {
	args := make([]any, len(f.args))
	for i, a := range f.args {
		if o, ok := a.(Outcome); ok {
			a = l.pick(outcomes[o])
		}
		args[i] = a
	}
	text := l.pick(findings[f.ID])
	if !strings.Contains(text, "%[") {
		return text
	}
	return fmt.Sprintf(text, args...) // what is not named is left out
}

// summary is the report in one sentence or two.
func (l Language) summary(r *Report) string {
	opens := make(map[string]int)
	unproven := false
	for _, v := range r.Phones {
		opens[v.Opens]++
		unproven = unproven || v.Unproven
	}
	var words []string
	all := len(r.Phones)
	switch {
	case all == 0:
		words = append(words, l.say("not known"))
	case opens[OpensNot] == all:
		words = append(words, l.say("none"))
	case opens[OpensNot]+opens[OpensPartly] > 0:
		words = append(words, l.say("some"))
	case opens[OpensLate] > 0:
		words = append(words, l.say("after wait"))
	case r.Healthy:
		words = append(words, l.say("all open"))
	default:
		words = append(words, l.say("open but"))
	}
	if unproven {
		words = append(words, l.say("unproven"))
	}
	if n := r.count(Bad); n > 0 {
		words = append(words, l.say("to mend", n))
	}
	if n := r.count(Warn); n > 0 {
		words = append(words, l.say("to look at", n))
	}
	return strings.Join(words, " ")
}
