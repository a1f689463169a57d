package livebook

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// layout is the number of the layout below. A book of another layout is begun
// anew, which costs every guest its pass. So a field that is added must mean
// nothing where it is missing, and the number stays.
const layout = "1"

// A page is how a guest is kept. It does not hold the MAC, which is in the
// key: a hien.MAC writes itself masked.
type page struct {
	Addrs   []netip.Addr    `json:"addrs,omitempty"`
	Stay    hien.Stay       `json:"stay"`
	Ended   []hien.Stay     `json:"ended,omitempty"`
	Pass    time.Duration   `json:"pass,omitempty"`
	Bytes   uint64          `json:"bytes,omitempty"` // of the pass, as the next five
	Moved   time.Duration   `json:"moved,omitempty"`
	Spent   bool            `json:"spent,omitempty"`
	Open    bool            `json:"open,omitempty"`
	Grace   bool            `json:"grace,omitempty"`
	Proved  bool            `json:"proved,omitempty"`
	Form    *form           `json:"form,omitempty"`
	Inquiry *hien.Inquiry   `json:"inquiry,omitempty"`
	Codes   []time.Duration `json:"codes,omitempty"`
	Receipt string          `json:"receipt,omitempty"`
	Given   time.Duration   `json:"given,omitempty"` // as the receipt was
	Asked   bool            `json:"asked,omitempty"`
	Gave    bool            `json:"gave,omitempty"`
}

// A form is a hien.Form with the notice's hash in place of its 2 to 4 KB of
// wording.
type form struct {
	Consent   consent.ID        `json:"consent"`
	Agreed    []consent.Purpose `json:"agreed"`
	Notice    consent.Hash      `json:"notice"`
	Browser   string            `json:"browser,omitempty"`
	Sealed    []byte            `json:"sealed"`
	LastTwo   string            `json:"last_two,omitempty"`
	Challenge hien.Challenge    `json:"challenge"`
	Receipt   string            `json:"receipt,omitempty"`
	Proven    bool              `json:"proven,omitempty"`
	Waiting   bool              `json:"waiting,omitempty"`
	NoGrace   bool              `json:"no_grace,omitempty"`
}

func guestKey(id hien.GuestID) []byte {
	key := make([]byte, 0, len(id.Zone)+1+len(id.MAC))
	key = append(key, id.Zone...)
	key = append(key, 0)
	return append(key, id.MAC[:]...)
}

func parseGuestKey(key []byte) (hien.GuestID, error) {
	zone := len(key) - 1 - len(hien.MAC{})
	if zone < 0 || key[zone] != 0 {
		return hien.GuestID{}, fmt.Errorf("key of %d bytes names no guest", len(key))
	}
	return hien.GuestID{Zone: string(key[:zone]), MAC: hien.MAC(key[zone+1:])}, nil
}

// encode lays a guest out, and keeps the notice of its form if it is new.
func encode(tx *bbolt.Tx, g hien.Guest) ([]byte, error) {
	p := page{
		Addrs: g.Addrs, Stay: g.Stay, Ended: g.Ended, Inquiry: g.Inquiry, Codes: g.Codes,
		Pass: g.Pass.Until, Bytes: g.Pass.Bytes, Moved: g.Pass.Moved, Spent: g.Pass.Spent, Open: g.Pass.Open, Grace: g.Pass.Grace, Proved: g.Pass.Verified,
		Receipt: g.Receipt, Given: g.Given, Asked: g.Asked, Gave: g.Gave,
	}
	if f := g.Form; f != nil {
		p.Form = &form{
			Consent: f.Consent, Agreed: f.Agreed, Notice: f.Notice.Hash(), Browser: f.Browser,
			Sealed: f.Sealed, LastTwo: f.LastTwo, Challenge: f.Challenge, Receipt: f.Receipt, Proven: f.Proven, Waiting: f.Waiting, NoGrace: f.NoGrace,
		}
		if err := keepNotice(tx, p.Form.Notice, f.Notice); err != nil {
			return nil, err
		}
	}
	return json.Marshal(p)
}

func keepNotice(tx *bbolt.Tx, hash consent.Hash, n consent.Notice) error {
	notices := tx.Bucket(noticesBucket)
	if notices.Get(hash[:]) != nil {
		return nil
	}
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return notices.Put(hash[:], text)
}

// decode reads what encode laid out. Nothing in the guest points into the
// file.
func decode(tx *bbolt.Tx, id hien.GuestID, value []byte) (hien.Guest, error) {
	var p page
	if err := json.Unmarshal(value, &p); err != nil {
		return hien.Guest{}, fmt.Errorf("a guest's page: %w", err)
	}
	g := hien.Guest{
		ID: id, Addrs: p.Addrs, Stay: p.Stay, Ended: p.Ended, Inquiry: p.Inquiry, Codes: p.Codes,
		Pass:    hien.Pass{Until: p.Pass, Bytes: p.Bytes, Moved: p.Moved, Spent: p.Spent, Open: p.Open, Grace: p.Grace, Verified: p.Proved},
		Receipt: p.Receipt, Given: p.Given, Asked: p.Asked, Gave: p.Gave,
	}
	if f := p.Form; f != nil {
		g.Form = &hien.Form{
			Consent: f.Consent, Agreed: f.Agreed, Browser: f.Browser,
			Sealed: f.Sealed, LastTwo: f.LastTwo, Challenge: f.Challenge, Receipt: f.Receipt, Proven: f.Proven, Waiting: f.Waiting, NoGrace: f.NoGrace,
		}
		if err := json.Unmarshal(tx.Bucket(noticesBucket).Get(f.Notice[:]), &g.Form.Notice); err != nil {
			return hien.Guest{}, fmt.Errorf("the notice of a form: %w", err)
		}
	}
	return g, nil
}

func eachGuest(tx *bbolt.Tx, visit func(hien.Guest) error) error {
	return tx.Bucket(guestsBucket).ForEach(func(key, value []byte) error {
		id, err := parseGuestKey(key)
		if err != nil {
			return fmt.Errorf("read livebook: %w", err)
		}
		g, err := decode(tx, id, value)
		if err != nil {
			return fmt.Errorf("read livebook: %w", err)
		}
		return visit(g)
	})
}
