package hien

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hien-wifi/hien/consent"
)

// A kantaraReceipt is a consent in the JSON of the Kantara Initiative's Consent
// Receipt Specification 1.1.0 (2018), section 6, for tools that read it. The
// record holds more, see Disclose.
type kantaraReceipt struct {
	Version     string              `json:"version"`
	Where       string              `json:"jurisdiction"`
	At          int64               `json:"consentTimestamp"` // seconds since 1970
	How         string              `json:"collectionMethod"`
	ID          string              `json:"consentReceiptID"`    // a UUID's form
	PublicKey   string              `json:"publicKey,omitempty"` // that signed the ledger's entry, base64
	Language    string              `json:"language"`
	Principal   consent.ID          `json:"piiPrincipalId"`
	Controllers []kantaraController `json:"piiControllers"`
	Policy      string              `json:"policyUrl"` // the notice by its hash: it has no address of its own
	Services    []kantaraService    `json:"services"`
	Sensitive   bool                `json:"sensitive"`
	Categories  []string            `json:"spiCat"`
}

type kantaraController struct {
	Name     string         `json:"piiController"`
	OnBehalf bool           `json:"onBehalf"`
	Contact  string         `json:"contact"`
	Address  kantaraAddress `json:"address"`
	Email    string         `json:"email"`
	Phone    string         `json:"phone"`
}

type kantaraAddress struct {
	Street string `json:"streetAddress"`
}

type kantaraService struct {
	Service  string           `json:"service"`
	Purposes []kantaraPurpose `json:"purposes"`
}

type kantaraPurpose struct {
	Purpose     string   `json:"purpose"`
	Categories  []string `json:"purposeCategory"`
	Type        string   `json:"consentType"`
	Data        []string `json:"piiCategory"`
	Primary     bool     `json:"primaryPurpose"`
	Termination string   `json:"termination"`
	Disclosed   bool     `json:"thirdPartyDisclosure"`
	To          string   `json:"thirdPartyName,omitempty"`
}

// Kantara writes the latest consent of a person as a Kantara consent receipt:
// what was agreed to when it was given. Who asked, who receives and which law it
// was is read out of the notice that was kept; where that cannot be, it is
// today's asker and store, and asShown is false. key is the ledger's at that
// entry; one that did not sign it is left out.
func Kantara(p Person, today consent.Asker, store string, key ed25519.PublicKey) (text []byte, asShown bool, err error) {
	if len(p.Given) == 0 {
		return nil, false, errors.New("write a consent receipt: the person has given none")
	}
	given := p.Given[len(p.Given)-1]
	shown, c := today.Recall(given.Notice), today.Controller
	if asShown = shown.Named; asShown {
		store, c = shown.Store, shown.Controller
	}
	if shown.Jurisdiction == "" && today.Policy != nil {
		shown.Jurisdiction = today.Policy.Jurisdiction
	}
	r := kantaraReceipt{Version: "KI-CR-v1.1.0", Where: shown.Jurisdiction, At: given.Consent.At().Wall.Unix(), How: "captive portal, one box for each purpose, none ticked",
		ID: uuid(given.Consent.ID()), PublicKey: signedBy(key, p.Entries, given.Seq), Language: given.Consent.Language(),
		Principal: given.Consent.Subject(), Policy: "urn:sha256:" + given.Consent.Notice().String(), Categories: []string{},
		Controllers: []kantaraController{{Name: c.Name, Contact: c.Contact, Address: kantaraAddress{c.Address}, Email: c.Contact, Phone: c.Contact}}}
	if strings.Contains(c.Contact, "@") {
		r.Controllers[0].Phone = ""
	} else {
		r.Controllers[0].Email = ""
	}
	service := kantaraService{Service: store, Purposes: []kantaraPurpose{}}
	asks := consent.AsksOf(given.Notice)
	for _, a := range given.Consent.Answers() {
		if !a.Agreed {
			continue
		}
		line := string(a.Purpose)
		if i := slices.IndexFunc(asks, func(ask consent.Ask) bool { return ask.Purpose == a.Purpose }); i >= 0 {
			line = asks[i].Line + ": " + asks[i].Detail
		}
		purpose := kantaraPurpose{Purpose: line, Categories: []string{string(a.Purpose)}, Type: "EXPLICIT", Data: []string{"phone number, pseudonymised"},
			Termination: "withdrawal, by the receipt's link", To: strings.Join(c.Recipients, ", ")}
		if purpose.To == "" && a.Purpose.HandsOn() {
			purpose.To = line // which says to whom
		}
		purpose.Disclosed = purpose.To != ""
		if a.Purpose.Reaches() {
			purpose.Data = append(purpose.Data, "phone number, sealed")
		}
		if a.Purpose == consent.VisitFrequency {
			purpose.Data = append(purpose.Data, "device mark, pseudonymised", "times of visits")
			r.Sensitive, r.Categories = true, []string{"history of visits"} // Decree 356/2025/ND-CP Art. 4
		}
		service.Purposes = append(service.Purposes, purpose)
	}
	r.Services = []kantaraService{service}
	if text, err = json.MarshalIndent(r, "", "  "); err != nil {
		return nil, false, fmt.Errorf("write a consent receipt: %w", err)
	}
	return append(text, '\n'), asShown, nil
}

// signedBy is the key as base64 when it signed the entry of that number, else
// nothing.
func signedBy(key ed25519.PublicKey, entries []consent.Entry, seq uint64) string {
	for _, e := range entries {
		if e.Seq == seq && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, e.Hash[:], e.Signature) {
			return base64.StdEncoding.EncodeToString(key)
		}
	}
	return ""
}

// uuid is an id in the form of a UUID (RFC 9562 §4).
func uuid(id consent.ID) string {
	s := fmt.Sprintf("%032s", string(id))
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
