// Package inventory says what a shop keeps of people: what it is, of whom,
// where, until when, on which basis, and who receives it. It is the basis of an
// impact assessment (hồ sơ đánh giá tác động, Decree 356/2025/NĐ-CP Art. 19)
// and of an answer to whoever asks.
//
// It is made of the policy, of what the owner has configured and of what the
// record counts, and of nothing else: what is switched off does not stand in
// it. The words stand in words.go, Vietnamese first.
package inventory

import (
	"fmt"
	"slices"

	"github.com/hien-wifi/hien/consent"
)

// Shop is what the configuration says.
type Shop struct {
	ID, Name  string
	Asker     consent.Asker
	Purposes  []consent.Purpose // that are asked for in any zone
	OneTime   bool              // mode basic
	Platform  string            // the host of the CDP; empty: none
	BackupKey bool              // backups can be made
	Log       bool              // the shop keeps an access log
}

// Counts are how much there is of a kind now. People are counted once.
type Counts struct {
	People   int                     `json:"people"` // who have an answer that stands, a no included
	Leads    int                     `json:"leads"`
	ByUse    map[consent.Purpose]int `json:"by_purpose"` // leads that allow it
	Previous int                     `json:"lead_keys_before"`
	Sealed   int                     `json:"sealed"`
	Marks    int                     `json:"marks"`
	Visits   int                     `json:"visits"`
	Ledger   int                     `json:"ledger"`
	Proofs   int                     `json:"proofs"`
	Receipts int                     `json:"receipts"`
	Queue    int                     `json:"queue"`    // but for erasures
	Parked   int                     `json:"parked"`   // what the platform refused
	Erasures int                     `json:"erasures"` // on their way
	Graves   int                     `json:"graves"`
	Refusals int                     `json:"refusals"`
	Requests int                     `json:"requests"`
	Audit    int                     `json:"audit"`
	Deleted  int                     `json:"deleted"` // lines of what was deleted
}

// An Item is one kind of data.
type Item struct {
	ID         string        `json:"id"` // stable; the table of docs/privacy.md names it too
	What       consent.Words `json:"what"`
	Of         consent.Words `json:"of"`
	Where      consent.Words `json:"where"`
	Until      consent.Words `json:"until"`
	Basis      consent.Words `json:"basis"`
	Recipients []string      `json:"recipients,omitempty"`
	Sensitive  bool          `json:"sensitive,omitempty"` // it may be sensitive personal data
	Count      *int          `json:"count,omitempty"`     // nil: it is not counted
}

// An Inventory is all of it.
type Inventory struct {
	Store      string          `json:"store"`
	Name       string          `json:"name"`
	Controller Controller      `json:"controller"`
	Policy     string          `json:"policy"`
	Law        consent.Words   `json:"law"`
	Items      []Item          `json:"items"`
	Counts     Counts          `json:"counts"`
	Notes      []consent.Words `json:"notes"` // what the officer should look at
}

// A Controller is who decides about the data, as the notice names it.
type Controller struct {
	Name       string   `json:"name,omitempty"`
	Address    string   `json:"address,omitempty"`
	TaxID      string   `json:"tax_id,omitempty"`
	Contact    string   `json:"contact,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	Carriers   []string `json:"carriers,omitempty"`
	Operator   string   `json:"operator,omitempty"`
	Transfer   string   `json:"transfer,omitempty"`
}

// The numbers of people from which on a system is of a higher level of
// security (Decree 331/2026/NĐ-CP Art. 12.2 and 13.2): basic data, and
// sensitive data. A note comes at 80 % of each.
const (
	manyBasic     = 100_000
	manySensitive = 10_000
)

// Make makes the inventory of a shop.
func Make(s Shop, c Counts) Inventory {
	p, who := s.Asker.Policy, s.Asker.Controller
	carriers := slices.DeleteFunc(slices.Clone(who.Carriers), func(name string) bool { return name == "" }) // of those that are not named a note tells
	inv := Inventory{Store: s.ID, Name: s.Name, Controller: Controller{who.Name, who.Address, who.TaxID, who.Contact, who.Recipients, carriers, who.Operator, who.Transfer}, Policy: p.Version, Law: p.Law, Counts: c}
	asks := len(s.Purposes) > 0 || c.Leads > 0
	visits := slices.Contains(s.Purposes, consent.VisitFrequency) && !s.OneTime || c.Visits > 0 || c.Marks > 0
	reaches := slices.ContainsFunc(s.Purposes, consent.Purpose.Reaches) || c.Sealed > 0
	recipients := slices.Clone(who.Recipients)
	if who.Operator != "" {
		recipients = append(recipients, who.Operator)
	}
	add := func(when bool, id string, count *int, to []string) {
		if !when {
			return
		}
		i := items[id]
		i.ID, i.Count, i.Recipients = id, count, to
		for _, w := range []*consent.Words{&i.What, &i.Of, &i.Where, &i.Until, &i.Basis} {
			*w = filled(*w, p)
		}
		inv.Items = append(inv.Items, i)
	}
	add(true, "stay", nil, nil)
	add(true, "counting", nil, nil)
	add(asks, "device-codes", nil, nil)
	add(asks, "number", nil, carriers)
	add(asks, "inquiry", nil, carriers)
	add(asks, "number-codes", nil, nil)
	add(asks, "lead", &c.Leads, recipients)
	add(c.Previous > 0, "lead-before", &c.Previous, recipients)
	add(reaches, "sealed", &c.Sealed, recipients)
	add(visits, "mark", &c.Marks, nil)
	add(visits, "visits", &c.Visits, recipients)
	add(asks, "ledger", &c.Ledger, nil)
	add(asks, "proof", &c.Proofs, nil)
	add(asks, "receipt", &c.Receipts, nil)
	add(asks, "receipt-secret", nil, nil)
	add(asks, "queue", &c.Queue, recipients)
	add(asks, "parked", &c.Parked, nil)
	add(asks, "requests", &c.Requests, nil)
	add(asks, "tombstone", &c.Graves, nil)
	add(asks, "erasure", &c.Erasures, recipients)
	add(asks, "refusal", &c.Refusals, nil)
	add(asks, "young", nil, nil)
	add(s.Log, "log", nil, nil)
	add(true, "audit", &c.Audit, nil)
	add(true, "deletions", &c.Deleted, nil)
	add(s.BackupKey, "backup", nil, nil)
	inv.Notes = notes(s, c)
	return inv
}

// notes are what the officer should look at.
func notes(s Shop, c Counts) (all []consent.Words) {
	note := func(when bool, vi, en string) {
		if when {
			all = append(all, consent.Words{VI: vi, EN: en})
		}
	}
	for _, f := range s.Asker.Lacks() {
		note(true, fmt.Sprintf("Thông báo còn thiếu %s: chưa hỏi ai cho đến khi ghi vào.", f), fmt.Sprintf("The notice lacks %s: nobody is asked until it is written.", f))
	}
	sensitive := c.ByUse[consent.VisitFrequency]
	note(c.Leads >= manyBasic*8/10, fmt.Sprintf("Dữ liệu của %d người; từ %d người trở lên, hệ thống phải đạt cấp độ an toàn cao hơn và miễn trừ cho doanh nghiệp nhỏ không còn.", c.Leads, manyBasic),
		fmt.Sprintf("Data of %d people; from %d on the system is of a higher level of security, and exemptions for small businesses end.", c.Leads, manyBasic))
	note(sensitive >= manySensitive*8/10, fmt.Sprintf("Lịch sử ghé quán của %d người có thể là dữ liệu nhạy cảm; từ %d người trở lên, hệ thống phải đạt cấp độ an toàn cao hơn.", sensitive, manySensitive),
		fmt.Sprintf("The history of visits of %d people may be sensitive data; from %d on the system is of a higher level of security.", sensitive, manySensitive))
	note(sensitive > 0, "Lịch sử ghé quán có thể là dữ liệu cá nhân nhạy cảm: miễn trừ đánh giá tác động cho doanh nghiệp nhỏ khi đó không áp dụng. Hãy hỏi luật sư.",
		"A history of visits may be sensitive personal data: then small businesses are not exempt from an impact assessment. Ask counsel.")
	note(c.Leads > 0, "Hồ sơ đánh giá tác động phải nộp trong 60 ngày kể từ lần xử lý đầu tiên, và cập nhật mỗi 6 tháng khi có thay đổi.",
		"The impact assessment is due within 60 days of the first processing, and is brought up to date every 6 months when something changes.")
	note(s.Platform != "" && s.Asker.Controller.Transfer == "", "Dữ liệu được gửi đến "+s.Platform+". Nếu máy chủ ở nước ngoài: ghi option transfer, và lập hồ sơ chuyển dữ liệu ra nước ngoài.",
		"Data is delivered to "+s.Platform+". If its servers are abroad: write option transfer, and make a dossier for the transfer.")
	note(s.Asker.Controller.Transfer != "", "Dữ liệu được chuyển đến "+s.Asker.Controller.Transfer+": cần hồ sơ chuyển dữ liệu cá nhân ra nước ngoài.",
		"Data goes to "+s.Asker.Controller.Transfer+": a dossier for the transfer abroad is needed.")
	note(len(s.Purposes) > 0 && !s.BackupKey, "Chưa có sao lưu: sổ đồng ý là bằng chứng, mất máy là mất sổ (docs/backup.md).",
		"There are no backups: the ledger is proof, and goes with the router (docs/backup.md).")
	return all
}
