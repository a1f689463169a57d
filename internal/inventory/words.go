package inventory

import (
	"strconv"
	"strings"

	"github.com/hien-wifi/hien/consent"
)

// filled puts the policy's numbers and law into words.
func filled(w consent.Words, p *consent.Policy) consent.Words {
	fill := func(text, law string) string {
		n := strconv.Itoa
		return strings.NewReplacer("{law}", law, "{unproven_hours}", n(int(p.Unproven().Hours())), "{visit_months}", n(p.Retention.VisitMonths),
			"{idle_months}", n(p.Retention.IdleMonths), "{max_age_months}", n(p.MaxAgeMonths), "{evidence_months}", n(p.Retention.EvidenceMonths),
			"{request_months}", n(p.Retention.RequestMonths), "{ask_again_days}", n(p.AskAgainDays), "{access_log_months}", n(p.Retention.AccessLogMonths)).Replace(text)
	}
	return consent.Words{VI: fill(w.VI, p.Law.VI), EN: fill(w.EN, p.Law.EN)}
}

// Words that several items share.
var (
	everybody   = consent.Words{VI: "mọi thiết bị trên mạng khách", EN: "every device on the guest network"}
	agreed      = consent.Words{VI: "người đã đồng ý ít nhất một mục", EN: "who agreed to at least one purpose"}
	agreedVisit = consent.Words{VI: "người đồng ý cho quán nhớ những lần ghé", EN: "who agreed to have visits remembered"}
	answered    = consent.Words{VI: "người đã trả lời thông báo", EN: "who answered a notice"}
	owner       = consent.Words{VI: "chủ quán và người quản lý máy", EN: "the owner and who runs the router"}
	memory      = consent.Words{VI: "bộ nhớ của bộ phát, mất khi tắt máy", EN: "the router's memory, gone when it is switched off"}
	flash       = consent.Words{VI: "bộ phát (record.db), xoá là ghi đè", EN: "the router (record.db), overwritten when deleted"}
	byConsent   = consent.Words{VI: "sự đồng ý của người đó ({law})", EN: "the person's consent ({law})"}
	byProof     = consent.Words{VI: "nghĩa vụ chứng minh sự đồng ý ({law})", EN: "the duty to prove consent ({law})"}
	byDuty      = consent.Words{VI: "nghĩa vụ thực hiện yêu cầu xoá ({law})", EN: "the duty to carry out an erasure ({law})"}
	byDuties    = consent.Words{VI: "nghĩa vụ trả lời yêu cầu đúng hạn ({law})", EN: "the duty to answer requests in time ({law})"}
	byService   = consent.Words{VI: "cần thiết để cấp WiFi mà người đó yêu cầu", EN: "needed to give the WiFi that the person asks for"}
	byAccount   = consent.Words{VI: "trách nhiệm giải trình của bên kiểm soát", EN: "the controller's accountability"}
)

// items are all kinds of data that the software can keep.
var items = map[string]Item{
	"stay": {What: consent.Words{VI: "địa chỉ mạng và địa chỉ MAC của thiết bị, thời gian ở lại, quyền vào mạng", EN: "network address and MAC of a device, its stay and its pass"},
		Of: everybody, Where: memory, Until: consent.Words{VI: "khách rời đi và quyền vào mạng hết hạn", EN: "the guest has left and the pass has ended"}, Basis: byService},
	"number": {What: consent.Words{VI: "số điện thoại chưa xác nhận, niêm phong bằng khoá chỉ có trong bộ nhớ", EN: "a number that is not confirmed, sealed under a key that is in memory only"},
		Of: consent.Words{VI: "người đã nhập số", EN: "who typed a number"}, Where: memory,
		Until: consent.Words{VI: "{unproven_hours} giờ, hoặc khi khách rời đi", EN: "{unproven_hours} hours, or the guest leaves"}, Basis: byConsent},
	"refusal": {What: consent.Words{VI: "dấu mã hoá của thiết bị đã từ chối, các mục bị từ chối và ngày", EN: "a coded mark of a device that said no, what it said no to, and the day"},
		Of: consent.Words{VI: "người không chọn một mục", EN: "who left a purpose unticked"}, Where: flash,
		Until: consent.Words{VI: "{ask_again_days} ngày", EN: "{ask_again_days} days"}, Basis: consent.Words{VI: "để không hỏi lại người đã từ chối", EN: "so that nobody who said no is asked again"}},
	"lead": {What: consent.Words{VI: "mã thay cho số điện thoại (băm có khoá, mã hoá giả danh), và các câu trả lời đang có hiệu lực", EN: "the lead key (keyed hash of the number, pseudonymised), and the answers that stand"},
		Of: agreed, Where: flash,
		Until: consent.Words{VI: "rút lại; {idle_months} tháng sau lần ghé hoặc đồng ý cuối; {max_age_months} tháng sau khi đồng ý", EN: "withdrawal; {idle_months} months after the last visit or consent; {max_age_months} months after the consent"}, Basis: byConsent},
	"sealed": {What: consent.Words{VI: "số điện thoại được niêm phong, bộ phát không mở được", EN: "the sealed number, which the router cannot open"},
		Of: consent.Words{VI: "người đồng ý một mục cần liên lạc hoặc chia sẻ", EN: "who agreed to a purpose that must reach them"}, Where: flash,
		Until: consent.Words{VI: "rút lại mục đó, hoặc như dòng trên", EN: "that purpose is withdrawn, or as above"}, Basis: byConsent},
	"mark": {What: consent.Words{VI: "dấu mã hoá của thiết bị, để nhận ra khách quen", EN: "a coded mark of the device, by which a returning guest is known"},
		Of: agreedVisit, Where: flash, Until: consent.Words{VI: "rút lại mục đó, hoặc như dòng trên", EN: "that purpose is withdrawn, or as above"}, Basis: byConsent, Sensitive: true},
	"visits": {What: consent.Words{VI: "thời gian từng lần ghé", EN: "the times of each visit"},
		Of: agreedVisit, Where: flash, Until: consent.Words{VI: "{visit_months} tháng sau lần ghé đó, hoặc rút lại", EN: "{visit_months} months after the visit, or withdrawal"}, Basis: byConsent, Sensitive: true},
	"ledger": {What: consent.Words{VI: "sổ đồng ý: câu trả lời, thời điểm, bản thông báo, dưới một mã ngẫu nhiên; không có số, tên hay địa chỉ", EN: "the ledger: answers, time and notice under a random name; no number, name or address"},
		Of: answered, Where: flash, Until: consent.Words{VI: "khi sổ không còn được giữ; sổ không nêu danh ai", EN: "as long as the ledger is kept; it names nobody"}, Basis: byProof},
	"proof": {What: consent.Words{VI: "địa chỉ mạng, dấu thiết bị, dấu trình duyệt và mã thay cho số lúc trả lời", EN: "network address, marks of device and browser, and lead key at the time of the answer"},
		Of: answered, Where: flash, Until: consent.Words{VI: "{evidence_months} tháng sau khi sự đồng ý chấm dứt, hoặc khi bị xoá theo yêu cầu", EN: "{evidence_months} months after the consent ended, or an erasure"}, Basis: byProof},
	"receipt": {What: consent.Words{VI: "dấu của biên nhận (không phải đường dẫn của biên nhận)", EN: "the receipt's hash (not the receipt's link)"},
		Of: agreed, Where: flash, Until: consent.Words{VI: "bị xoá theo yêu cầu", EN: "an erasure"}, Basis: byProof},
	"queue": {What: consent.Words{VI: "những gì đang chờ gửi đi, theo từng mục đã đồng ý", EN: "what waits to be delivered, by purpose"},
		Of: agreed, Where: flash, Until: consent.Words{VI: "đã gửi, mục đó bị rút lại, hoặc 90 ngày", EN: "delivered, the purpose is withdrawn, or 90 days"}, Basis: byConsent},
	"tombstone": {What: consent.Words{VI: "dấu mã hoá của người đã được xoá, để không ai đưa họ trở lại", EN: "a coded mark of who was erased, so that nobody brings them back"},
		Of: consent.Words{VI: "người đã yêu cầu xoá", EN: "who asked to be erased"}, Where: flash, Until: consent.Words{VI: "người đó đồng ý lại", EN: "the person consents anew"}, Basis: byDuty},
	"requests": {What: consent.Words{VI: "yêu cầu của khách qua điện thoại, giấy hoặc tại quầy, với thời hạn theo luật; không nêu danh ai", EN: "requests by telephone, on paper or at the counter, with their legal clock; they name nobody"},
		Of: consent.Words{VI: "người đã yêu cầu", EN: "who asked"}, Where: flash, Until: consent.Words{VI: "{request_months} tháng sau khi giải quyết xong", EN: "{request_months} months after they were answered"}, Basis: byDuties},
	"log": {What: consent.Words{VI: "nhật ký truy cập: thời gian, địa chỉ mạng, thiết bị; không có nội dung hay trang đã xem; niêm phong", EN: "the access log: times, network addresses, device; no content, no pages visited; sealed"},
		Of: everybody, Where: consent.Words{VI: "bộ phát, kho riêng, chỉ người giữ khoá mở được", EN: "the router, a store of its own, opened by the key's holder only"},
		Until: consent.Words{VI: "{access_log_months} tháng", EN: "{access_log_months} months"}, Basis: consent.Words{VI: "nghĩa vụ pháp lý của quán, nếu có", EN: "a legal duty of the shop's, where there is one"}},
	"audit": {What: consent.Words{VI: "những việc làm bằng tay; thiết bị chỉ hiện một phần địa chỉ", EN: "what was done by hand; devices by a part of their address"},
		Of: owner, Where: flash, Until: consent.Words{VI: "hai năm", EN: "two years"}, Basis: byAccount},
	"deletions": {What: consent.Words{VI: "số lượng đã xoá theo từng ngày và quy tắc; không nêu danh ai", EN: "how many were deleted by day and rule; it names nobody"},
		Of: consent.Words{VI: "không ai", EN: "nobody"}, Where: flash, Until: consent.Words{VI: "năm năm", EN: "five years"}, Basis: byAccount},
	"backup": {What: consent.Words{VI: "bản sao lưu của tất cả những thứ trên, trừ những gì chỉ có trong bộ nhớ; niêm phong", EN: "backups of all that, but for what is in memory only; sealed"},
		Of: answered, Where: consent.Words{VI: "ở nơi chủ quán cất", EN: "where the owner keeps them"},
		Until: consent.Words{VI: "chủ quán xoá: giữ không quá bốn bản, mỗi tuần một bản", EN: "the owner deletes them: keep four weekly ones at most"}, Basis: byProof},
}
