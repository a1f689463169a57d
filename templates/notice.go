package templates

import (
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// NoticeVersion is the version of the notice's wording. It changes with every
// change of a notice's or a purpose's words in a catalogue.
const NoticeVersion = "vn-2026.0"

// Notice makes the notice that is put before a guest of a zone, in one
// language, for those purposes in that order. The same arguments make the
// same notice (R-CON-4, R-CON-6; Law 91/2025/QH15 Art. 9).
func Notice(lang Language, storeName string, _ hien.Zone, purposes []consent.Purpose) consent.Notice {
	n := consent.Notice{
		Version:  NoticeVersion,
		Language: string(lang),
		Title:    lang.say("notice.title", "store", storeName),
	}
	for _, p := range purposes {
		line, detail := purposeWords(lang, p)
		n.Asks = append(n.Asks, consent.Ask{Purpose: p, Line: line, Detail: detail})
	}
	add := func(key string) { n.Body = append(n.Body, lang.say(key, "store", storeName)) }
	add("notice.who")
	add("notice.data")
	if slices.ContainsFunc(purposes, consent.Purpose.Reaches) {
		add("notice.sealed")
	}
	if slices.Contains(purposes, consent.VisitFrequency) {
		add("notice.visits")
	}
	add("notice.proof")
	add("notice.purposes")
	add("notice.recipients")
	add("notice.long")
	add("notice.rights")
	add("notice.free")
	return n
}

// purposeWords are the line and the detail of a purpose. The partners of
// share_partner share one wording, in which the partner is named.
func purposeWords(lang Language, p consent.Purpose) (line, detail string) {
	family, partner, _ := strings.Cut(string(p), ":")
	return lang.say("purpose."+family+".line", "partner", partner),
		lang.say("purpose."+family+".detail", "partner", partner)
}
