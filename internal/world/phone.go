package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// wlan is a phone's interface.
const wlan = "wlan0"

// Phone is a guest's phone: a node with one radio link to the guest network.
type Phone struct {
	*Node
	MAC    net.HardwareAddr
	Target Target // places of the internet that only this phone knows

	world  *World
	port   string // the router's end of its link
	noIPv6 bool
	dhcp   *dhcpClient
	lease  Lease
	v6     netip.Addr
}

// AddPhone brings a phone into the shop. It is off the network until
// [Phone.Join]. The i-th phone of a world has the MAC that [PhoneMAC] makes.
func (w *World) AddPhone(name string) (*Phone, error) {
	return w.AddPhoneWithMAC(name, nil)
}

// PhoneMAC makes locally administered MAC addresses, as phones use for
// privacy. They differ in their first three bytes, as logs mask the rest.
func PhoneMAC(i int) net.HardwareAddr {
	return net.HardwareAddr{0x02 | byte(i>>8&0x3f)<<2, 0xf0, byte(i), 0x5a, 0x10, byte(i)}
}

// AddPhoneWithMAC is [World.AddPhone] with a MAC of the caller's choice, or
// the next of [PhoneMAC] where it is nil.
func (w *World) AddPhoneWithMAC(name string, mac net.HardwareAddr) (*Phone, error) {
	node, err := w.newNode(name)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	number := len(w.phones)
	if mac == nil {
		mac = PhoneMAC(number)
	}
	p := &Phone{
		Node:   node,
		MAC:    mac,
		Target: w.Internet.Target(number),
		world:  w,
		port:   fmt.Sprint("ph", number),
		noIPv6: w.options.NoIPv6,
	}
	w.phones = append(w.phones, p)
	w.mu.Unlock()
	err = p.Sysctl(
		// An address is used at once, and asked for at once.
		"net/ipv6/conf/default/accept_dad", "0",
		"net/ipv6/conf/default/dad_transmits", "0",
		"net/ipv6/conf/default/router_solicitation_delay", "0",
		"net/ipv6/conf/default/router_solicitation_interval", "1",
		"net/ipv6/conf/default/use_tempaddr", "0",
	)
	if err != nil {
		return nil, err
	}
	if err := vethPair(w.Router.Node, p.port, p.Node, wlan, mac); err != nil {
		return nil, err
	}
	if err := w.Router.addPort(p.port); err != nil {
		return nil, err
	}
	return p, nil
}

// Lease is what DHCP gave the phone last.
func (p *Phone) Lease() Lease { return p.lease }

// IPv4 is the phone's address while it is on the network.
func (p *Phone) IPv4() netip.Addr { return p.lease.Addr.Addr() }

// IPv6 is the phone's global address while it is on the network, made by
// stateless autoconfiguration (RFC 4862).
func (p *Phone) IPv6() netip.Addr { return p.v6 }

// Join brings the phone onto the guest network: link up, an address by a real
// DHCP client, and an IPv6 address from the router's advertisement where the
// guest network has IPv6.
func (p *Phone) Join(ctx context.Context) error {
	if err := p.LinkUp(ctx); err != nil {
		return err
	}
	v6 := make(chan error, 1)
	go func() { v6 <- p.awaitIPv6(ctx) }()
	err := p.requestLease(ctx)
	if err6 := <-v6; err == nil {
		err = err6
	}
	if err != nil {
		return fmt.Errorf("%s joins the guest network: %w", p.Name, err)
	}
	return nil
}

// LinkUp turns the radio on without asking for an address, and waits until
// the access point forwards what it sends. IPv6 is off until then, so that the
// first router solicitation is not lost.
func (p *Phone) LinkUp(ctx context.Context) error {
	const ipv6Off = "net/ipv6/conf/" + wlan + "/disable_ipv6"
	err := p.Do(func() error {
		if err := sysctl(ipv6Off, "1"); err != nil {
			return err
		}
		_, err := setUp(wlan)
		return err
	})
	if err != nil {
		return err
	}
	if err := p.world.Router.awaitLink(ctx, p.port, forwards); err != nil {
		return err
	}
	return p.Sysctl(ipv6Off, "0")
}

// LinkDown turns the radio off without a word, as a phone that walks away.
// Its DHCP client is ended without a release.
func (p *Phone) LinkDown() error {
	if p.dhcp != nil {
		p.dhcp.abandon()
		p.dhcp = nil
	}
	p.lease, p.v6 = Lease{}, netip.Addr{}
	return p.Do(func() error {
		link, err := netlink.LinkByName(wlan)
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if err := netlink.AddrDel(link, &a); err != nil {
				return err
			}
		}
		return netlink.LinkSetDown(link)
	})
}

// Leave gives the lease back and turns the radio off. The phone can Join again.
func (p *Phone) Leave(ctx context.Context) error {
	var err error
	if p.dhcp != nil {
		err = p.dhcp.release(ctx)
		p.dhcp = nil
	}
	return errors.Join(err, p.LinkDown())
}

// awaitIPv6 waits for a global address that may be used.
func (p *Phone) awaitIPv6(ctx context.Context) error {
	if p.noIPv6 {
		return nil
	}
	var index int
	err := p.Do(func() (err error) {
		index, err = linkIndex(wlan)
		return err
	})
	if err != nil {
		return err
	}
	updates, done := make(chan netlink.AddrUpdate, 16), make(chan struct{})
	ns := netns.NsHandle(p.ns)
	err = netlink.AddrSubscribeWithOptions(updates, done, netlink.AddrSubscribeOptions{Namespace: &ns, ListExisting: true})
	if err != nil {
		return fmt.Errorf("watch addresses: %w", err)
	}
	defer drain(updates, done)
	for {
		select {
		case u, ok := <-updates:
			if !ok {
				return errors.New("watch addresses: the kernel ended it")
			}
			if u.NewAddr && u.LinkIndex == index && u.LinkAddress.IP.To4() == nil && u.Scope == unix.RT_SCOPE_UNIVERSE && u.Flags&unix.IFA_F_TENTATIVE == 0 {
				p.v6, _ = netip.AddrFromSlice(u.LinkAddress.IP)
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("wait for an IPv6 address: %w", ctx.Err())
		}
	}
}

// Answer is what a phone got for a request.
type Answer struct {
	Status   int
	Location string
	Header   http.Header
	Body     []byte
}

// Probe asks as an operating system asks whether it is online: with its
// User-Agent, following no redirect.
func (p *Phone) Probe(ctx context.Context, probe Probe, options ...ClientOption) (Answer, error) {
	return get(ctx, p.HTTPClient(options...), probe.URL, probe.UserAgent)
}

// Online says whether a probe tells the phone that it is online. An error
// within is an answer too: no.
func (p *Phone) Online(ctx context.Context, probe Probe, options ...ClientOption) bool {
	a, err := p.Probe(ctx, probe, options...)
	return err == nil && probe.Free(a.Status, a.Body)
}

// Browse is a phone's browser without scripts: it follows redirects and keeps
// no cookies, as the small browsers of captive portals do.
func (p *Phone) Browse(options ...ClientOption) *http.Client {
	return p.HTTPClient(append([]ClientOption{Follow}, options...)...)
}

// Get fetches a page with the phone's browser.
func (p *Phone) Get(ctx context.Context, url string) (Answer, error) {
	return get(ctx, p.Browse(), url, androidUA)
}

func get(ctx context.Context, c *http.Client, url, agent string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("User-Agent", agent)
	resp, err := c.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return Answer{resp.StatusCode, resp.Header.Get("Location"), resp.Header, body}, err
}

func (p *Phone) close() error {
	if p.dhcp != nil {
		p.dhcp.abandon()
	}
	return p.Node.close()
}
