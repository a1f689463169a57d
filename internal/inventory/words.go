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
	typed       = consent.Words{VI: "người đã nhập số", EN: "who typed a number"}
	receives    = consent.Words{VI: "người đã đồng ý ít nhất một mục, hoặc xác nhận số sau đó", EN: "who agreed to at least one purpose, or proved a number later"}
	gone        = consent.Words{VI: "người đã được xoá, hoặc đã đổi số", EN: "who was erased, or has changed the number"}
	nobody      = consent.Words{VI: "không ai", EN: "nobody"}
	owner       = consent.Words{VI: "chủ quán và người quản lý máy", EN: "the owner and who runs the router"}
	memory      = consent.Words{VI: "bộ nhớ của bộ phát, mất khi tắt máy", EN: "the router's memory, gone when it is switched off"}
	process     = consent.Words{VI: "bộ nhớ của chương trình, mất khi chương trình dừng", EN: "the program's memory, gone when it stops"}
	flash       = consent.Words{VI: "bộ phát (record.db), xoá là ghi đè", EN: "the router (record.db), overwritten when deleted"}
	byConsent   = consent.Words{VI: "sự đồng ý của người đó ({law})", EN: "the person's consent ({law})"}
	byProof     = consent.Words{VI: "nghĩa vụ chứng minh sự đồng ý ({law})", EN: "the duty to prove consent ({law})"}
	byDuty      = consent.Words{VI: "nghĩa vụ thực hiện yêu cầu xoá ({law})", EN: "the duty to carry out an erasure ({law})"}
	byDuties    = consent.Words{VI: "nghĩa vụ trả lời yêu cầu đúng hạn ({law})", EN: "the duty to answer requests in time ({law})"}
	byService   = consent.Words{VI: "cần thiết để cấp WiFi mà người đó yêu cầu", EN: "needed to give the WiFi that the person asks for"}
	byRequest   = consent.Words{VI: "yêu cầu của chính người đó ({law})", EN: "the person's own request ({law})"}
	byLimit     = consent.Words{VI: "để không ai bị gửi mã dồn dập", EN: "so that nobody is flooded with codes"}
	byAccount   = consent.Words{VI: "trách nhiệm giải trình của bên kiểm soát", EN: "the controller's accountability"}
)

// items are all kinds of data that the software can keep.
var items = map[string]Item{
	"stay": {What: consent.Words{VI: "địa chỉ mạng và địa chỉ MAC của thiết bị, thời gian ở lại, quyền vào mạng", EN: "network address and MAC of a device, its stay and its pass"},
		Of: everybody, Where: memory, Until: consent.Words{VI: "khách rời đi và quyền vào mạng hết hạn", EN: "the guest has left and the pass has ended"}, Basis: byService},
	"counting": {What: consent.Words{VI: "dấu đếm trong ngày của thiết bị (băm có khoá của địa chỉ MAC, khoá mỗi ngày một mới), và hôm nay thiết bị có đồng ý hay đã quay lại không", EN: "the day's counting mark of a device (keyed hash of its MAC, under a key that is new each day), and whether it agreed or came back today"},
		Of: consent.Words{VI: "mọi thiết bị trên mạng khách, trừ thiết bị tin cậy", EN: "every device on the guest network but trusted ones"}, Where: process,
		Until: consent.Words{VI: "hết ngày; nhiều nhất 10.000 thiết bị", EN: "the day is over; 10,000 devices at most"},
		Basis: consent.Words{VI: "để đếm khách trong ngày mà không biết là ai", EN: "to count a day's devices without knowing whose they are"}},
	"device-codes": {What: consent.Words{VI: "số lần một thiết bị đã xin mã", EN: "how many codes a device asked for"},
		Of: consent.Words{VI: "người đã xin mã", EN: "who asked for a code"}, Where: memory, Until: consent.Words{VI: "một ngày sau", EN: "a day later"}, Basis: byLimit},
	"number": {What: consent.Words{VI: "số điện thoại chưa xác nhận, niêm phong bằng khoá chỉ có trong bộ nhớ", EN: "a number that is not confirmed, sealed under a key that is in memory only"},
		Of: typed, Where: memory,
		Until: consent.Words{VI: "{unproven_hours} giờ, hoặc khi khách rời đi", EN: "{unproven_hours} hours, or the guest leaves"}, Basis: byConsent},
	"inquiry": {What: consent.Words{VI: "số điện thoại mà một người muốn xem dữ liệu, hoặc muốn đổi sang, trong lúc chờ mã; niêm phong bằng khoá chỉ có trong bộ nhớ", EN: "a number that somebody wants to see the data of, or to change to, while its code is awaited; sealed under a key that is in memory only"},
		Of: typed, Where: memory,
		Until: consent.Words{VI: "số được xác nhận hoặc bị bỏ, khách rời đi, hoặc {unproven_hours} giờ", EN: "it is proved or dropped, the guest leaves, or {unproven_hours} hours"}, Basis: byRequest},
	"number-codes": {What: consent.Words{VI: "số lần đã gửi mã đến một số điện thoại, ghi theo dấu mã hoá của số (khoá chỉ có trong bộ nhớ)", EN: "how many codes went to a number, by a coded mark of it whose key is in memory only"},
		Of: typed, Where: memory, Until: consent.Words{VI: "một ngày sau", EN: "a day later"}, Basis: byLimit},
	"lead-before": {What: consent.Words{VI: "mã thay cho số điện thoại theo khoá cũ của thương hiệu", EN: "the lead key of before, by an earlier key of the brand"},
		Of: consent.Words{VI: "người quay lại sau khi thương hiệu đổi khoá", EN: "who came back after the brand key was changed"}, Where: flash,
		Until: consent.Words{VI: "mục cuối cùng bị rút lại, hoặc như dòng trên", EN: "the last purpose is withdrawn, or as above"}, Basis: byConsent},
	"receipt-secret": {What: consent.Words{VI: "đường dẫn của biên nhận, cho thiết bị xem trong nửa giờ", EN: "the receipt's link, which the device is shown for half an hour"},
		Of: receives, Where: memory,
		Until: consent.Words{VI: "khách rời đi, hoặc bị xoá theo yêu cầu", EN: "the guest leaves, or an erasure"},
		Basis: consent.Words{VI: "bản sao mà người đó có quyền nhận ({law})", EN: "the copy that the person has a right to ({law})"}},
	"parked": {What: consent.Words{VI: "những gì nền tảng không nhận, kèm câu trả lời của nền tảng", EN: "what the platform refused, with its answer"},
		Of: agreed, Where: flash, Until: consent.Words{VI: "mục đó bị rút lại, hoặc 90 ngày; nhiều nhất 1.000", EN: "the purpose is withdrawn, or 90 days; 1,000 at most"}, Basis: byConsent},
	"erasure": {What: consent.Words{VI: "lệnh xoá đang chờ gửi đi, kèm mã thay cho số điện thoại", EN: "an erasure on its way, with the lead key"},
		Of: gone, Where: flash,
		Until: consent.Words{VI: "nền tảng đã nhận, cả dịch vụ xoá của nền tảng nếu có khai báo", EN: "the platform has taken it, and its deletion service where one is set"}, Basis: byDuty},
	"young": {What: consent.Words{VI: "có bao nhiêu khách cho biết chưa đủ tuổi: một con số, không gì khác", EN: "how many guests said to be too young to be asked: a number and nothing else"},
		Of: nobody, Where: process, Until: consent.Words{VI: "khi chương trình dừng", EN: "the program stops"}, Basis: byAccount},
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
		Of: receives, Where: flash, Until: consent.Words{VI: "bị xoá theo yêu cầu, hoặc cùng với bằng chứng cuối cùng", EN: "an erasure, or with the last of the proof"}, Basis: byProof},
	"queue": {What: consent.Words{VI: "những gì đang chờ gửi đi, theo từng mục đã đồng ý", EN: "what waits to be delivered, by purpose"},
		Of: agreed, Where: flash, Until: consent.Words{VI: "đã gửi, mục đó bị rút lại, hoặc 90 ngày", EN: "delivered, the purpose is withdrawn, or 90 days"}, Basis: byConsent},
	"tombstone": {What: consent.Words{VI: "dấu mã hoá của người đã được xoá, để không ai đưa họ trở lại", EN: "a coded mark of who was erased, so that nobody brings them back"},
		Of: gone, Where: flash, Until: consent.Words{VI: "người đó đồng ý lại", EN: "the person consents anew"}, Basis: byDuty},
	"requests": {What: consent.Words{VI: "yêu cầu của khách qua điện thoại, giấy hoặc tại quầy, với thời hạn theo luật; không nêu danh ai", EN: "requests by telephone, on paper or at the counter, with their legal clock; they name nobody"},
		Of: consent.Words{VI: "người đã yêu cầu", EN: "who asked"}, Where: flash, Until: consent.Words{VI: "{request_months} tháng sau khi giải quyết xong", EN: "{request_months} months after they were answered"}, Basis: byDuties},
	"log": {What: consent.Words{VI: "nhật ký truy cập: thời gian, địa chỉ mạng, thiết bị; không có nội dung hay trang đã xem; niêm phong", EN: "the access log: times, network addresses, device; no content, no pages visited; sealed"},
		Of: everybody, Where: consent.Words{VI: "bộ phát, kho riêng, chỉ người giữ khoá mở được", EN: "the router, a store of its own, opened by the key's holder only"},
		Until: consent.Words{VI: "{access_log_months} tháng", EN: "{access_log_months} months"}, Basis: consent.Words{VI: "nghĩa vụ pháp lý của quán, nếu có", EN: "a legal duty of the shop's, where there is one"}},
	"audit": {What: consent.Words{VI: "những việc làm bằng tay; thiết bị chỉ hiện một phần địa chỉ", EN: "what was done by hand; devices by a part of their address"},
		Of: owner, Where: flash, Until: consent.Words{VI: "hai năm", EN: "two years"}, Basis: byAccount},
	"deletions": {What: consent.Words{VI: "số lượng đã xoá theo từng ngày và quy tắc; không nêu danh ai", EN: "how many were deleted by day and rule; it names nobody"},
		Of: nobody, Where: flash, Until: consent.Words{VI: "năm năm", EN: "five years"}, Basis: byAccount},
	"backup": {What: consent.Words{VI: "bản sao lưu của tất cả những thứ trên, trừ những gì chỉ có trong bộ nhớ; niêm phong", EN: "backups of all that, but for what is in memory only; sealed"},
		Of: answered, Where: consent.Words{VI: "ở nơi chủ quán cất", EN: "where the owner keeps them"},
		Until: consent.Words{VI: "chủ quán xoá: giữ không quá bốn bản, mỗi tuần một bản", EN: "the owner deletes them: keep four weekly ones at most"}, Basis: byProof},
}
