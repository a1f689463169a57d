package hien

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/hien-wifi/hien/consent"
)

// A MAC is a device's hardware address: a session's key, never a person's
// identity (phones draw a private one for each network and may change it).
// It prints masked, a4:83:e7:··:··:··; Reveal is for the kernel.
type MAC [6]byte

// MACFrom takes the six bytes of a hardware address.
func MACFrom(hw net.HardwareAddr) (MAC, error) {
	if len(hw) != 6 {
		return MAC{}, fmt.Errorf("hardware address of %d bytes: want 6", len(hw))
	}
	return MAC(hw), nil
}

// ParseMAC reads a hardware address as people and tools write it.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil {
		return MAC{}, errors.New("not a hardware address: want six bytes, as in 02:00:5e:10:00:01")
	}
	return MACFrom(hw)
}

// Reveal is the whole address, for the kernel's sets and tables.
func (m MAC) Reveal() net.HardwareAddr { return m[:] }

// IsZero reports whether the address is not known.
func (m MAC) IsZero() bool { return m == MAC{} }

func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:··:··:··", m[0], m[1], m[2])
}

// Format prints the mask whatever the verb, %x and %#v too.
func (m MAC) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.String()) }

// MarshalText writes the mask.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// LogValue logs the mask.
func (m MAC) LogValue() slog.Value { return slog.StringValue(m.String()) }

// A Zone is one guest network with its own texts, terms and limits.
type Zone struct {
	Name       string
	Interface  string        // the bridge, SSID or VLAN that its guests are on
	PortalPort uint16        // tcp port of the portal on the zone's addresses
	Pass       time.Duration // how long a pass lasts
	VisitGap   time.Duration // a longer absence ends the visit
	Grace      time.Duration // how long a grace pass lasts, see grace.go; 0: none is given
	Offer      string        // what is offered to everybody who comes in; may be empty
	Terms      string        // the rules of the house for its WiFi, shown to everybody; may be empty
	Purposes   []consent.Purpose
	Children   bool // its guests are children: nothing is asked of anybody (R-CHILD-2)

	Idle     time.Duration // a pass that carried nothing for so long ends; 0: it does not
	Volume   int64         // bytes that a pass carries, both directions together; 0: no limit
	Speed    Speed         // of each guest
	AllSpeed Speed         // of all guests of the zone together
	Trusted  []MAC         // devices that are let in without the portal
	Blocked  []MAC         // devices that are not let in

	// What is reached without a pass: names (with all below them), addresses
	// and networks.
	Garden     []string
	CodeGarden []string // by one guest only, for some minutes, while its code is on its way
}

// Asks are the purposes that may be asked for in the zone: none where its guests
// are children.
func (z Zone) Asks() []consent.Purpose {
	if z.Children {
		return nil
	}
	return slices.Clone(z.Purposes)
}

// trusts reports whether a device is let in without the portal, unless it is
// blocked.
func (z Zone) trusts(mac MAC) bool { return slices.Contains(z.Trusted, mac) }

// blocks reports whether a device is not let in.
func (z Zone) blocks(mac MAC) bool { return slices.Contains(z.Blocked, mac) }

// A Speed is a limit in bits per second in each direction; 0 is none.
type Speed struct {
	Down, Up int64
}

// A GuestID names a guest: a device in a zone.
type GuestID struct {
	Zone string
	MAC  MAC
}

// A Sighting is evidence that a guest is here.
type Sighting struct {
	Guest GuestID
	// Addr is an address that the kernel's neighbour table says is the
	// guest's: only such a one opens the door. It is the zero Addr where
	// nothing but a frame claims one, which anybody can forge.
	Addr   netip.Addr
	Source string // "dhcp", "arp", "nd", "neighbour", "portal"
}

// A Stay is the time from a guest's first sighting to the last without a gap
// longer than the zone's VisitGap.
type Stay struct {
	Start, Last Moment
	Visit       consent.ID // of the visit in the record, when one was opened; else empty
}

// A Pass is the right of a guest to the internet until a time on the boot
// clock. The zero Pass has ended.
type Pass struct {
	Until time.Duration // Moment.Up
	Bytes uint64        // carried so far, both directions together
	Moved time.Duration // Moment.Up at which it last carried something
	Spent bool          // its volume is used up: no way out before Until
	Open  bool          // given because the owner had opened the door to everybody; it ends with that
	Grace bool          // given while a code travels, see grace.go

	Verified bool // a number was proved for it
}

// Left is what is left of the pass; at least 0, and 0 once it is spent.
func (p Pass) Left(now Moment) time.Duration {
	if p.Spent {
		return 0
	}
	return max(0, p.Until-now.Up)
}

// Over reports whether the pass's time is up. One that is spent has nothing
// left before that, and holds its guest back until then.
func (p Pass) Over(now Moment) bool { return p.Until <= now.Up }

// MaxAddrs is how many addresses of one guest are remembered. A phone has one
// IPv4 and three or four IPv6 addresses.
const MaxAddrs = 8

// A Guest is what the livebook knows of a device while it is in the shop. It
// lives in memory and on tmpfs and holds no readable number and no consent.
type Guest struct {
	ID      GuestID
	Addrs   []netip.Addr // newest first, at most MaxAddrs
	Stay    Stay
	Ended   []Stay // stays that are over and not yet in the record
	Pass    Pass
	Form    *Form           // a half-finished opt-in
	Inquiry *Inquiry        // a number that waits for its code, to see what is kept
	Codes   []time.Duration // Moment.Up of each code sent to this device within a day
	Receipt string          // the receipt's secret, of this stay
	Given   time.Duration   // Moment.Up when it was given, see shownReceipt
	Asked   bool            // it went on without in this stay, and is not asked again
	Gave    bool            // it gave its number in this stay
}

// Remember puts addr first among the guest's addresses. The oldest makes room
// for it; dropped is that one, or the zero Addr.
func (g *Guest) Remember(addr netip.Addr) (dropped netip.Addr) {
	if !addr.IsValid() || slices.Contains(g.Addrs, addr) {
		return netip.Addr{}
	}
	g.Addrs = slices.Insert(g.Addrs, 0, addr)
	if len(g.Addrs) > MaxAddrs {
		dropped = g.Addrs[MaxAddrs]
		g.Addrs = g.Addrs[:MaxAddrs]
	}
	return dropped
}

// ReceiptShown is how long a device is shown the secret of its receipt after a
// code was typed on it. A neighbour can take a device's address and with it the
// device's place, most easily once its person has gone; whoever has the secret
// sees and erases everything. It is long enough to open the portal again and
// keep the link.
const ReceiptShown = 30 * time.Minute

// gets gives the guest the secret of a receipt; none is empty.
func (g *Guest) gets(secret string, now Moment) { g.Receipt, g.Given = secret, now.Up }

// shownReceipt is the secret of the receipt that the guest's device may be
// shown; else empty.
func (g *Guest) shownReceipt(now Moment) string {
	if now.Up-g.Given >= ReceiptShown {
		return ""
	}
	return g.Receipt
}

// A Form is an opt-in that waits for its code.
type Form struct {
	Consent   consent.ID        // of the consent that it will become
	Agreed    []consent.Purpose // what was ticked
	Notice    consent.Notice
	Browser   string    // hex SHA-256 of the User-Agent: people may have typed anything into it
	Sealed    []byte    // the number, under a key that lives in the daemon's memory only
	LastTwo   string    // the number's last two digits, to say where the code went
	Challenge Challenge // the code
	Receipt   string    // the receipt's secret
	Proven    bool      // the code was right; only the record may still be missing
	Waiting   bool      // the code is to be sent when the shop has internet again
	NoGrace   bool      // it has had its grace pass, or needs none
}

// stale reports whether the form's number has gone unproved for as long as one
// is kept (R-CON-11).
func (f *Form) stale(kept time.Duration, now Moment) bool {
	return !f.Proven && now.Up-f.Challenge.Typed >= kept
}

// refused are the purposes of the notice that were not ticked.
func (f *Form) refused() (no []consent.Purpose) {
	for _, a := range f.Notice.Asks {
		if !slices.Contains(f.Agreed, a.Purpose) {
			no = append(no, a.Purpose)
		}
	}
	return no
}

// A Visit is one stay of a person who agreed to have visits counted.
type Visit struct {
	ID      consent.ID
	Subject consent.ID
	Zone    string
	Start   Moment
	End     Moment // the zero Moment while the visit goes on
	Number  int    // 1 for the person's first
}

// A Mark is a keyed hash of a MAC, hex. Two kinds are kept, and never joined.
// The member mark stands beside the lead, only with consent.VisitFrequency, and
// is gone with its withdrawal. The refusal mark stands alone, with what was
// refused and the day, for as long as the policy has nobody asked again.
type Mark string

// A Member is a person whom the record knows.
type Member struct {
	Consent   consent.Consent // as it stands now; its Subject names the person
	Key       LeadKey
	Previous  LeadKey     // by which the person was known under an earlier brand key; may be empty
	Renamed   bool        // it has Key from now on only
	Sealed    SealedPhone // empty unless a purpose must reach the person
	Visits    int         // in the record, the open one included
	LastVisit Moment      // start of the latest visit; the zero Moment if there is none
	Answered  map[consent.Purpose]Answered
	Anew      bool // was erased, and has not consented since; or has, and upstream was not told of that yet
}

// An Answered is how a person answered a purpose last.
type Answered struct {
	At        Moment
	Agreed    bool         // and that stands
	Withdrawn bool         // agreed then, and has taken it back or let it lapse since
	Substance consent.Hash // of the notice; zero when that was not kept
}

// Known reports whether there is such a person.
func (m Member) Known() bool { return m.Consent.Subject() != "" }
