// Package portal is the door at which a guest of the shop's WiFi stands: it
// stops the phone's first request, shows one page, takes one answer and lets
// the guest in.
//
// # What it promises
//
// The kernel sends every tcp/80 connection of a guest without a pass here.
// Whatever host and path such a request names, the answer is a 302 to the
// portal's own address, because that is what every system's probe takes for
// a portal: never an empty 200, a 4xx or a 5xx. Only what HTTP itself must
// refuse (RFC 9112, section 3.2: no Host or a malformed one) gets a 400 from
// the standard library.
//
// A guest gets in whether or not it gives something (R-CON-1). When the
// record, the sender of codes or a page fails, the portal says so kindly and
// still offers to go on without.
//
// # The API
//
// A phone that was told of it by DHCP asks the API of RFC 8908 instead of
// probing. It speaks TLS on a port of its own (ServeAPI), where the pages are
// as well, and says how the guest stands at that moment: before login, during
// the pass, and after its end. An Announcement tells phones of it only while
// the certificate is one that they take.
//
// # Whom it trusts
//
// Nobody on the other side of the socket. Who a guest is comes from the
// socket's remote address and the kernel's neighbour table, never from the
// request; where the portal stands comes from the socket's local address, or
// over TLS from the certificate's name, never from the Host header. There is no cookie and no session: a guest's
// place on the way in is kept by the house, and what a form carries beside
// the answers is only the language and which notice was shown. Forms from
// other origins are refused. Connections are few, short and counted, so that
// slow ones cannot keep the next phone out.
package portal

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// A House is whom the portal asks about guests and tells what they answered.
type House interface {
	// Greet tells where the guest stands and how to speak to it.
	Greet(ctx context.Context, d hien.Device, now hien.Moment) (hien.Greeting, error)
	// Inside tells whether the guest has a pass. It is asked for each probe
	// and writes nothing.
	Inside(ctx context.Context, d hien.Device, now hien.Moment) (bool, error)
	// Admit lets the guest in and asks for nothing in return.
	Admit(ctx context.Context, d hien.Device, now hien.Moment) error
	// Refuse does so for one who was shown those purposes and agreed to none.
	Refuse(ctx context.Context, d hien.Device, shown []consent.Purpose, now hien.Moment) error
	// AdmitYoung does so for one who said to be too young to be asked.
	AdmitYoung(ctx context.Context, d hien.Device, now hien.Moment) error
	Asking
}

// Asking is how a guest gives something. The errors on which the portal acts
// are those of package hien.
type Asking interface {
	// Ask takes an application and sends a code to its number.
	Ask(ctx context.Context, d hien.Device, a hien.Application, now hien.Moment) error
	// AskAgain sends another code for the application that waits.
	AskAgain(ctx context.Context, d hien.Device, now hien.Moment) error
	// Forget drops the application that waits, so that another number can be
	// given.
	Forget(ctx context.Context, d hien.Device, now hien.Moment) error
	// Prove takes the code; when it is right the guest is in.
	Prove(ctx context.Context, d hien.Device, code hien.Code, now hien.Moment) error
}

var _ House = (*hien.Gateway)(nil)

// Receipts show a person's consent again, and carry out what the person asks
// for: each method is for whoever has the receipt's secret.
type Receipts interface {
	// Receipt finds what a receipt proves; hien.ErrNoReceipt if there is
	// none with that secret.
	Receipt(ctx context.Context, secret string) (hien.Receipt, error)
	// Withdraw takes back those purposes, or all with none named, under each name
	// of the person. It is in force when Withdraw returns (R-RGT-2).
	Withdraw(ctx context.Context, secret string, purposes []consent.Purpose, now hien.Moment) error
	// Everything is what is kept of the person, under each name.
	Everything(ctx context.Context, secret string) ([]hien.Person, error)
	// Erase forgets the person. It is in force when Erase returns.
	Erase(ctx context.Context, secret string, now hien.Moment) (hien.Gone, error)
	// ErasedAt is when the erasure with that number and name was recorded;
	// hien.ErrNoReceipt if there is none.
	ErasedAt(ctx context.Context, seq uint64, id consent.ID) (hien.Moment, error)
}

// Own is the way to one's own data without a receipt. The errors on which the
// portal acts are those of package hien.
type Own interface {
	// Mine tells what the device may see of its own person's data.
	Mine(ctx context.Context, d hien.Device, now hien.Moment) (hien.Mine, error)
	// Inquire sends a code to a number, and Confirm takes it: its answer is
	// the secret of a fresh receipt.
	Inquire(ctx context.Context, d hien.Device, to hien.Phone, language string, now hien.Moment) error
	Confirm(ctx context.Context, d hien.Device, code hien.Code, now hien.Moment) (secret string, err error)
	// DropInquiry drops the number that waits for its code.
	DropInquiry(ctx context.Context, d hien.Device, now hien.Moment) error
	// TakeBack takes back purposes of the member whose device it is.
	TakeBack(ctx context.Context, d hien.Device, purposes []consent.Purpose, now hien.Moment) error
}

var _ Own = (*hien.Gateway)(nil)

// Numbers change a person's number: each method is for whoever has the
// receipt's secret. The errors on which the portal acts are those of package
// hien.
type Numbers interface {
	// NumberAsked tells how it stands with the change on that device.
	NumberAsked(ctx context.Context, d hien.Device, secret string, now hien.Moment) (hien.Asked, error)
	// ChangeNumber sends a code to the new number, and ConfirmNumber takes it;
	// the change is in force when it returns.
	ChangeNumber(ctx context.Context, d hien.Device, secret string, to hien.Phone, language string, now hien.Moment) error
	ConfirmNumber(ctx context.Context, d hien.Device, secret string, code hien.Code, now hien.Moment) error
}

var _ Numbers = (*hien.Gateway)(nil)

// Neighbours tell which device has an address, as the kernel sees it. It is
// asked for each page and must be cheap: no fork, no disk.
type Neighbours interface {
	MAC(addr netip.Addr) (hien.MAC, error)
}

// Options are what the portal of one zone is made of.
type Options struct {
	Zone       string // its name, as the House knows it
	House      House
	Receipts   Receipts
	Own        Own
	Numbers    Numbers
	Neighbours Neighbours
	Opener     func(net.Conn) (hien.MAC, bool) // the hardware address that opened a connection, where the kernel kept it; may be nil
	Now        func() hien.Moment
	Log        *slog.Logger

	// Addrs are the zone's own addresses. A guest whose connection came to
	// a link-local address, which a browser cannot open, is sent to one of
	// them. May be empty.
	Addrs []netip.Addr

	Location *time.Location // of the hours on a receipt; nil is the router's own
	Limits   Limits

	Certificate *Certificate // of ServeAPI; nil without it
}

// Limits bound what strangers can take of the router. Zero fields have the
// values of DefaultLimits.
type Limits struct {
	Conns       int           // connections in all
	SecureConns int           // connections over TLS in all; each holds 40 KB
	PerSource   int           // connections from one address
	Header      time.Duration // for a request's header to arrive
	Read        time.Duration // for a whole request to arrive
	Write       time.Duration // for an answer to be taken
	Idle        time.Duration // between two requests of a connection
	HeaderBytes int           // of a request's header
	BodyBytes   int64         // of a form
	Grace       time.Duration // for answers under way when the portal stops
}

// DefaultLimits keep the portal under 6 MB with every connection in use, 3 MB
// more with those over TLS, and let a phone's whole page through at 2 KB/s.
func DefaultLimits() Limits {
	return Limits{
		Conns: 256, SecureConns: 64, PerSource: 16,
		Header: 5 * time.Second, Read: 10 * time.Second, Write: 10 * time.Second, Idle: 10 * time.Second,
		HeaderBytes: 8 << 10, BodyBytes: 8 << 10,
		Grace: 3 * time.Second,
	}
}

func (l Limits) orDefaults() Limits {
	d := DefaultLimits()
	fill(&l.Conns, d.Conns)
	fill(&l.SecureConns, d.SecureConns)
	fill(&l.PerSource, d.PerSource)
	fill(&l.Header, d.Header)
	fill(&l.Read, d.Read)
	fill(&l.Write, d.Write)
	fill(&l.Idle, d.Idle)
	fill(&l.HeaderBytes, d.HeaderBytes)
	fill(&l.BodyBytes, d.BodyBytes)
	fill(&l.Grace, d.Grace)
	return l
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// A Server is the portal of one zone.
type Server struct {
	Options
	sameOrigin *http.CrossOriginProtection
	handler    http.Handler
}

// New makes the portal of a zone. It starts nothing.
func New(o Options) *Server {
	o.Limits = o.Limits.orDefaults()
	if o.Location == nil {
		o.Location = time.Local
	}
	o.Addrs = slices.Clone(o.Addrs)
	s := &Server{Options: o, sameOrigin: http.NewCrossOriginProtection()}
	s.handler = rising(s.rescue(s.routes()))
	return s
}

// errUnknownDevice says that the kernel has no neighbour at the address from
// which a request came.
var errUnknownDevice = errors.New("the device is not in the neighbour table")

// device is who sent the request: told by the socket and the kernel.
func (s *Server) device(r *http.Request) (hien.Device, error) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return hien.Device{}, errUnknownDevice
	}
	addr := plain(from.Addr())
	mac, err := s.Neighbours.MAC(addr)
	if err != nil || mac.IsZero() {
		return hien.Device{}, errUnknownDevice
	}
	// The table as it is now, and the frame that opened the connection: a
	// table that was made to say otherwise meanwhile names nobody.
	if at, ok := r.Context().Value(seatKey{}).(seat); ok && !at.opener.IsZero() && at.opener != mac {
		return hien.Device{}, errUnknownDevice
	}
	return hien.Device{Guest: hien.GuestID{Zone: s.Zone, MAC: mac}, Addr: addr}, nil
}

// plain is an address without what sockets add to it: the IPv6 form of an
// IPv4 address, and the interface of a link-local one.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
