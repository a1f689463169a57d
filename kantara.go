package hien

import (
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
	ID          string              `json:"consentReceiptID"` // a UUID's form
	PublicKey   string              `json:"publicKey"`        // of the ledger, base64
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
// what was agreed to when it was given. pub is the ledger's key.
func Kantara(p Person, store string, c consent.Controller, pub []byte) ([]byte, error) {
	if len(p.Given) == 0 {
		return nil, errors.New("write a consent receipt: the person has given none")
	}
	given := p.Given[len(p.Given)-1]
	r := kantaraReceipt{Version: "KI-CR-v1.1.0", Where: "VN", At: given.Consent.At().Wall.Unix(), How: "captive portal, one box for each purpose, none ticked",
		ID: uuid(given.Consent.ID()), PublicKey: base64.StdEncoding.EncodeToString(pub), Language: given.Consent.Language(),
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
			Termination: "withdrawal, by the receipt's link", Disclosed: c.Delivers, To: strings.Join(c.Recipients, ", ")}
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
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write a consent receipt: %w", err)
	}
	return append(text, '\n'), nil
}

// uuid is an id in the form of a UUID (RFC 9562 §4).
func uuid(id consent.ID) string {
	s := fmt.Sprintf("%032s", string(id))
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
