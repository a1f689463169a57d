package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hien-wifi/hien/internal/probes"
)

// A Play is what a guest of a zone without a pass has met.
type Play struct {
	Zone string
	As   string // AsGuest, AtListener or NotPlayed
	Why  error  // it was not as a guest

	DHCP     dhcpLease
	DHCPErr  error
	Address  netip.Prefix // by DHCP, or one that nobody had
	IPv6     netip.Addr
	WantIPv6 bool // the router has an IPv6 network there

	Names map[string]Lookup // by host
	Tries []Try

	Page     string // the portal's address, as it was redirected to
	PageTook time.Duration
	PageErr  error // why the page is not there

	API    string // its address, as it was announced
	APIErr error  // why it is of no use
}

// A player plays one zone.
type player struct {
	dial  dialer
	zone  Zone
	roots *x509.CertPool
	now   time.Time
}

// atOnce is how many tries are under way at a time: more than a phone has,
// and few enough for the smallest router.
const atOnce = 12

// each calls f for 0 to n-1, some at a time.
func each(n int, f func(i int)) {
	seats := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range n {
		seats <- struct{}{}
		all.Go(func() {
			defer func() { <-seats }()
			f(i)
		})
	}
	all.Wait()
}

// Addresses that stand for hosts whose names do not resolve. Nobody has them
// (RFC 5737, RFC 3849): what becomes of a packet to them is the router's doing.
var (
	standIn4 = netip.MustParseAddr("192.0.2.80")
	standIn6 = netip.MustParseAddr("2001:db8::80")
)

// Resolvers that programs have built in, and that a guest without a pass must
// not reach.
var (
	publicDNS4 = netip.MustParseAddr("8.8.8.8")
	publicDNS6 = netip.MustParseAddr("2001:4860:4860::8888")
)

// playGuest becomes a guest of the zone and plays all there is. The guest is
// gone when it returns.
func (s *System) playGuest(ctx context.Context, z Zone, roots *x509.CertPool) (p *Play, err error) {
	p = &Play{Zone: z.Name, As: AsGuest}
	link := s.Links[z.Interface]
	guest, err := newScratch(link)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, guest.close()) }()

	p.DHCP, p.DHCPErr = guest.requestLease(ctx)
	p.Address = p.DHCP.Addr
	router := p.DHCP.Router
	if p.DHCPErr == nil {
		defer guest.releaseLease(p.DHCP)
	} else if network := link.prefix4(); network.IsValid() && ctx.Err() == nil {
		router = network.Addr()
		taken := func(a netip.Addr) bool {
			return slices.ContainsFunc(s.Leases, func(l Lease) bool { return l.Addr == a })
		}
		if p.Address, err = guest.freeAddress(ctx, network, taken); err != nil {
			return nil, err
		}
	}
	if p.Address.IsValid() {
		if err := guest.configure(p.Address, router); err != nil {
			return nil, err
		}
	}
	if p.WantIPv6 = link.prefix6().IsValid(); p.WantIPv6 {
		if p.IPv6, err = guest.joinIPv6(ctx, 4*time.Second); err != nil {
			return nil, err
		}
	}
	one := &player{dial: guest.dial, zone: z, roots: roots, now: s.Now}
	one.play(ctx, p, s)
	return p, ctx.Err()
}

// play tries everything from a guest's network.
func (o *player) play(ctx context.Context, p *Play, s *System) {
	resolver := s.Links[o.zone.Interface].prefix4().Addr()
	if len(p.DHCP.DNS) > 0 {
		resolver = p.DHCP.DNS[0]
	}
	o.names(ctx, p, resolver)
	var all []func() Try
	all = append(all, o.probes(ctx, p)...)
	all = append(all, o.shut(ctx, p, s)...)
	p.Tries = make([]Try, len(all))
	each(len(all), func(i int) { p.Tries[i] = all[i]() })
	o.page(ctx, p, resolver)
	o.api(ctx, p, resolver)
}

func (o *player) names(ctx context.Context, p *Play, resolver netip.Addr) {
	hosts := probes.Hosts()
	// One name first: a resolver that does not answer is not asked twenty
	// times.
	first := Lookup{Err: errors.New("there is no resolver")}
	if resolver.IsValid() {
		first = lookup(ctx, o.dial, resolver, hosts[0])
	}
	found := make([]Lookup, len(hosts))
	each(len(hosts), func(i int) {
		if found[i] = first; first.Err == nil && i > 0 {
			found[i] = lookup(ctx, o.dial, resolver, hosts[i])
		}
	})
	p.Names = make(map[string]Lookup)
	for i, h := range hosts {
		p.Names[h] = found[i]
	}
}

// families are an address of each family that the guest has, by which a host
// is tried; those that stand for it where its name does not resolve.
func (p *Play) families(host string) (addrs []netip.Addr, standIn bool) {
	addrs = p.Names[host].Addrs
	if len(addrs) == 0 {
		addrs, standIn = []netip.Addr{standIn4, standIn6}, true
	}
	var four, six netip.Addr
	for _, a := range addrs {
		switch {
		case a.Is4() && p.Address.IsValid() && !four.IsValid():
			four = a
		case !a.Is4() && p.IPv6.IsValid() && !six.IsValid():
			six = a
		}
	}
	return slices.DeleteFunc([]netip.Addr{four, six}, func(a netip.Addr) bool { return !a.IsValid() }), standIn
}

// probes are the systems' own probes: over HTTP they must be redirected, over
// HTTPS refused.
func (o *player) probes(ctx context.Context, p *Play) (tries []func() Try) {
	for _, probe := range probes.List {
		addrs, standIn := p.families(probe.Host())
		for _, a := range addrs {
			tries = append(tries, func() (t Try) {
				if probe.HTTPS() {
					t = tryConnect(ctx, o.dial, TryHTTPS, netip.AddrPortFrom(a, 443))
					t.Probe, t.OS = probe.Name, probe.OS
				} else {
					t = tryProbe(ctx, o.dial, probe, netip.AddrPortFrom(a, 80))
				}
				t.StandIn = standIn
				return t
			})
		}
	}
	return tries
}

// shut are the ways that must not lead anywhere: out of the shop, and to the
// router's own services. Few of them are refused by ICMP, of which the kernel
// sends a guest six in a row and then one a second (icmp_ratelimit).
func (o *player) shut(ctx context.Context, p *Play, s *System) (tries []func() Try) {
	query, err := dnsQuestion(4711, "example.com", 1)
	if err != nil {
		query = []byte{0}
	}
	outside, standIn := p.families("www.google.com")
	for _, a := range outside {
		dns := publicDNS4
		if a.Is6() {
			dns = publicDNS6
		}
		tries = append(tries,
			func() Try {
				t := tryDatagram(ctx, o.dial, TryQUIC, netip.AddrPortFrom(a, 443), make([]byte, 1200))
				t.StandIn = standIn
				return t
			},
			func() Try { return tryDatagram(ctx, o.dial, TryDNS, netip.AddrPortFrom(dns, 53), query) },
			func() Try {
				t := tryConnect(ctx, o.dial, TryOther, netip.AddrPortFrom(a, 853))
				t.StandIn = standIn
				return t
			})
	}
	const most = 16 // addresses of the router
	for _, a := range s.Addrs[:min(most, len(s.Addrs))] {
		if a.Is4() && !p.Address.IsValid() || a.Is6() && !p.IPv6.IsValid() {
			continue
		}
		for _, port := range []uint16{22, 80, 443} {
			tries = append(tries, func() Try { return tryAdmin(ctx, o.dial, netip.AddrPortFrom(a, port)) })
		}
	}
	return tries
}

// page opens what the probes were redirected to.
func (o *player) page(ctx context.Context, p *Play, resolver netip.Addr) {
	i := slices.IndexFunc(p.Tries, func(t Try) bool { return t.Kind == TryProbe && t.Outcome == Redirected })
	if i < 0 {
		return // the probes say what is wrong
	}
	p.Page = p.Tries[i].Page
	ctx, cancel := context.WithTimeout(ctx, pagePatience)
	defer cancel()
	began := time.Now()
	p.PageErr = o.open(ctx, p.Page, resolver)
	p.PageTook = time.Since(began)
}

// client is a browser of the guest's: names are asked from the router's
// resolver.
func (o *player) client(resolver netip.Addr) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		addrs := []netip.Addr{}
		if a, err := netip.ParseAddr(host); err == nil {
			addrs = append(addrs, a)
		} else {
			found := lookup(ctx, o.dial, resolver, host)
			if addrs = found.Addrs; found.Err != nil {
				return nil, &net.DNSError{Err: found.Err.Error(), Name: host}
			}
		}
		err = &net.DNSError{Err: "no such name", Name: host, IsNotFound: true}
		for _, a := range addrs {
			var conn net.Conn
			if conn, err = o.dial(ctx, "tcp", net.JoinHostPort(a.String(), port)); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		DialContext: dial, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: o.roots, Time: func() time.Time { return o.now }},
	}}
}

var (
	errNoPage  = errors.New("the answer is no page")
	errNotJSON = errors.New("the answer is not application/captive+json")
	errLies    = errors.New("it does not say that this guest is captive")
	errNoURL   = errors.New("it does not say where the portal is")
)

// open loads a page as a browser does, redirects and all.
func (o *player) open(ctx context.Context, address string, resolver netip.Addr) error {
	resp, body, err := o.fetch(ctx, address, resolver)
	if err != nil {
		return err
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); resp.StatusCode != http.StatusOK || kind != "text/html" || len(body) == 0 {
		return errNoPage
	}
	return nil
}

func (o *player) fetch(ctx context.Context, address string, resolver netip.Addr) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (hien doctor)")
	resp, err := o.client(resolver).Do(req)
	if err != nil {
		return nil, nil, err
	}
	body, err := readAll(resp)
	return resp, body, err
}

// api asks the captive portal API as an operating system does (RFC 8908 §4
// and §5).
func (o *player) api(ctx context.Context, p *Play, resolver netip.Addr) {
	p.API = p.DHCP.API
	if p.API == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pagePatience)
	defer cancel()
	if !strings.HasPrefix(p.API, "https://") {
		p.APIErr = errors.New("its address does not begin with https://")
		return
	}
	resp, body, err := o.fetch(ctx, p.API, resolver)
	if err != nil {
		p.APIErr = err
		return
	}
	p.APIErr = readAPI(resp.StatusCode, resp.Header.Get("Content-Type"), body)
}

// readAPI checks what the API says to a guest without a pass.
func readAPI(status int, contentType string, body []byte) error {
	kind, _, err := mime.ParseMediaType(contentType)
	if status != http.StatusOK || err != nil || kind != "application/captive+json" {
		return errNotJSON
	}
	var says struct {
		Captive *bool  `json:"captive"`
		Portal  string `json:"user-portal-url"`
	}
	switch err := json.Unmarshal(body, &says); {
	case err != nil:
		return errNotJSON
	case says.Captive == nil || !*says.Captive:
		return errLies
	case !strings.HasPrefix(says.Portal, "https://"): // RFC 8908 §5
		return errNoURL
	}
	return nil
}

// playListener plays the probes from the router itself at the portal's port:
// all that can be done without a guest. What the kernel does to a guest's
// packets stays unproven.
func (s *System) playListener(ctx context.Context, z Zone, why error) *Play {
	p := &Play{Zone: z.Name, As: NotPlayed, Why: why}
	dial := new(net.Dialer).DialContext
	var tries []func() Try
	for _, prefix := range []netip.Prefix{s.Links[z.Interface].prefix4(), s.Links[z.Interface].prefix6()} {
		if !prefix.IsValid() {
			continue
		}
		p.As = AtListener
		for _, probe := range probes.List {
			if !probe.HTTPS() {
				tries = append(tries, func() Try {
					return tryProbe(ctx, dial, probe, netip.AddrPortFrom(prefix.Addr(), z.PortalPort))
				})
			}
		}
	}
	p.Tries = make([]Try, len(tries))
	each(len(tries), func(i int) { p.Tries[i] = tries[i]() })
	one := &player{dial: dial, zone: z, now: s.Now}
	one.page(ctx, p, netip.Addr{})
	return p
}
