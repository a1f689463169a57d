package world

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
)

// Options choose what stands in a world.
type Options struct {
	// GuestPrefix is the router's address and prefix on the guest bridge.
	// The default is 10.77.0.1/24; a crowd needs a wider one.
	GuestPrefix netip.Prefix
	// NoIPv6 leaves the guest network without IPv6.
	NoIPv6 bool
	// NoGuestBridge starts without br-guest; see [Router.AddGuestBridge].
	NoGuestBridge bool
	// LAN adds the shop's own network: the interface lan of the router, and
	// the node [World.Shop] in it.
	LAN bool
	// NoMasquerade leaves NAT to whoever is tested. Then nothing leads back
	// to the guests' IPv4 addresses.
	NoMasquerade bool
	// IPTables is the program that sets the masquerading rule, as a system
	// would have it before Hiên. The default is iptables; iptables-legacy
	// and iptables-nft are the others.
	IPTables string
	// Dnsmasq are further lines for the router's dnsmasq.conf.
	Dnsmasq []string
	// NoCDP leaves out the customer-data platform.
	NoCDP bool
	// CDP is how the platform behaves; Segment by default.
	CDP Flavour
	// ICMPLimits keeps the kernel's limits on the ICMP errors that the
	// router sends: by default six in a row to one guest and then one a
	// second, so that further refusals feel like drops. They are lifted
	// otherwise, but for those of unreachable routes (five in a row), which
	// belong to no namespace.
	ICMPLimits bool
	// Uncounted leaves out the packet counter, for measurements.
	Uncounted bool
	// Alone waits until no other world stands on the machine, and keeps others
	// from being built: for what takes of the kernel what all of them share. It
	// is the only world of its process.
	Alone bool
}

// World is a router, its guests, and the internet behind it.
type World struct {
	Internet *Internet
	Router   *Router
	Shop     *Node // nil without Options.LAN
	CDP      *CDP  // nil with Options.NoCDP
	CA       *CA

	options Options
	suffix  string
	ap      *Node // the access point, for its radio's end of the cable

	held *os.File // the machine's lock, see alone.go

	mu     sync.Mutex
	phones []*Phone
	crowds []*Crowd
	more   []*Node // of a matrix
}

var worlds atomic.Int32

// New builds a world and starts what serves in it. Nodes are named internet,
// router and so on in the first world of a process; later ones get a number
// behind the name.
func New(ctx context.Context, o Options) (w *World, err error) {
	if outside != nil {
		return nil, outside
	}
	if !o.GuestPrefix.IsValid() {
		o.GuestPrefix = defaultGuestV4
	}
	if o.IPTables == "" {
		o.IPTables = "iptables"
	}
	if o.CDP == "" {
		o.CDP = Segment
	}
	w = &World{options: o}
	if n := worlds.Add(1); n > 1 {
		w.suffix = fmt.Sprint("-", n)
	}
	defer func() {
		if err != nil {
			w.Close()
			w, err = nil, fmt.Errorf("build a world: %w", err)
		}
	}()
	if w.held, err = hold(o.Alone); err != nil {
		return w, err
	}
	if w.CA, err = NewCA(); err != nil {
		return w, err
	}
	if w.Internet, err = newInternet("internet"+w.suffix, w.CA); err != nil {
		return w, err
	}
	router, err := w.newNode("router")
	if err != nil {
		return w, err
	}
	w.Router = &Router{Node: router, options: o}
	if w.ap, err = w.newNode("ap"); err != nil {
		return w, err
	}
	w.Router.ap, w.Router.isp = w.ap, w.Internet.Node
	if err := w.ap.Sysctl("net/ipv6/conf/default/disable_ipv6", "1"); err != nil {
		return w, err
	}
	if err := w.wire(ctx); err != nil {
		return w, err
	}
	if err := w.Internet.start(w.CA, !o.Uncounted); err != nil {
		return w, err
	}
	if err := w.Router.start(ctx); err != nil {
		return w, err
	}
	if o.LAN {
		if err := w.addShop(ctx); err != nil {
			return w, err
		}
	}
	if !o.NoCDP {
		if err := w.addCDP(); err != nil {
			return w, err
		}
	}
	return w, nil
}

// newNode makes a node that trusts the world's authority.
func (w *World) newNode(name string) (*Node, error) {
	n, err := newNode(name + w.suffix)
	if err != nil {
		return nil, err
	}
	n.roots = w.CA.Pool()
	return n, nil
}

// wire lays the cable between router and internet and gives both their addresses.
func (w *World) wire(ctx context.Context) error {
	if err := vethPair(w.Internet.Node, ispLink, w.Router.Node, "wan", nil); err != nil {
		return err
	}
	guests := guestV6
	if w.options.NoIPv6 {
		guests = netip.Prefix{}
	}
	if err := w.Internet.address(guests); err != nil {
		return err
	}
	if err := w.Router.address(ctx); err != nil {
		return err
	}
	return w.Router.awaitUplink(ctx)
}

// addCDP serves the customer-data platform at https://cdp.example:8443.
func (w *World) addCDP() error {
	w.CDP = NewCDP(w.options.CDP)
	return w.CDP.serve(w.Internet, w.CA)
}

// CDPURL is the address of the customer-data platform.
const CDPURL = "https://" + CDPHost + ":8443"

// addShop puts a computer of the shop into its own network, with a page that
// no guest may see.
func (w *World) addShop(ctx context.Context) error {
	shop, err := w.newNode("shop")
	if err != nil {
		return err
	}
	w.Shop = shop
	if err := vethPair(w.Router.Node, "lan", shop, "eth0", nil); err != nil {
		return err
	}
	if err := w.Router.Do(func() error { _, err := setUp("lan", lanV4); return err }); err != nil {
		return err
	}
	err = shop.Do(func() error {
		if _, err := setUp("eth0", shopV4); err != nil {
			return err
		}
		return defaultRoute("eth0", lanV4.Addr())
	})
	if err != nil {
		return err
	}
	if err := w.Router.awaitLink(ctx, LAN, isRunning); err != nil {
		return err
	}
	if err := shop.awaitLink(ctx, "eth0", isRunning); err != nil {
		return err
	}
	if err := writeResolvConf(shop.ResolvConf(), lanV4.Addr().String()); err != nil {
		return err
	}
	l, err := shop.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	w.Internet.ServeHTTP(l, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Write([]byte("the shop's own computer\n"))
	}), nil, false)
	return nil
}

// Close ends everything that runs in the world and takes it down.
func (w *World) Close() error {
	if w.CDP != nil {
		w.CDP.Down()
	}
	var errs []error
	for _, c := range w.crowds {
		errs = append(errs, c.node.close())
	}
	for _, p := range w.phones {
		errs = append(errs, p.close())
	}
	if w.Internet != nil {
		errs = append(errs, w.Internet.close())
	}
	if w.Router != nil {
		errs = append(errs, w.Router.close())
	}
	for _, n := range append(w.more, w.ap, w.Shop) {
		if n != nil {
			errs = append(errs, n.close())
		}
	}
	if w.held != nil { // last: until then others would share what is left of it
		errs = append(errs, w.held.Close())
	}
	return errors.Join(errs...)
}
