package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Lease is what a DHCP server has given to a phone.
type Lease struct {
	Addr    netip.Prefix
	Router  netip.Addr
	DNS     []netip.Addr
	Server  netip.Addr
	Time    time.Duration
	Options map[string]string // everything that udhcpc told its script, by its names
}

// Where the DHCP script finds what it must not guess.
const (
	envResolv = "HIEN_WORLD_RESOLV" // the node's resolv.conf
	envSocket = "HIEN_WORLD_SOCKET" // where the phone listens for the news
)

// dhcpNews is what the script tells the phone.
type dhcpNews struct {
	Event string // deconfig, bound, renew, nak, leasefail
	Env   map[string]string
	Error string
}

type dhcpClient struct {
	daemon *Daemon
	news   *net.UnixConn
}

// requestLease starts a real DHCP client, udhcpc, and waits until it is bound.
// The client's script is this program in the role dhcp.
func (p *Phone) requestLease(ctx context.Context) error {
	if p.dhcp != nil {
		return fmt.Errorf("%s has a DHCP client already", p.Name)
	}
	socket := filepath.Join(p.dir, "dhcp.sock")
	os.Remove(socket)
	news, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	argv := []string{
		"udhcpc", "-f", "-i", wlan, "-s", self,
		"-t", "20", "-T", "1", "-A", "1", // ask again soon
		"-O", "114", // the captive portal's API, RFC 8910 §2.1
		"-V", "android-dhcp-15", "-x", "hostname:" + p.Name,
	}
	daemon, err := p.Start(argv, Env(envThen+"="+roleDHCP, envResolv+"="+p.ResolvConf(), envSocket+"="+socket))
	if err != nil {
		news.Close()
		return err
	}
	p.dhcp = &dhcpClient{daemon, news}
	env, err := p.dhcp.await(ctx, "bound")
	if err != nil {
		p.dhcp.abandon()
		p.dhcp = nil
		return err
	}
	p.lease, err = parseLease(env)
	return err
}

// Renew asks the server to extend the lease and waits for its answer.
func (p *Phone) Renew(ctx context.Context) error {
	if p.dhcp == nil {
		return fmt.Errorf("%s has no DHCP client", p.Name)
	}
	if err := p.dhcp.daemon.Signal(unix.SIGUSR1); err != nil {
		return err
	}
	env, err := p.dhcp.await(ctx, "renew")
	if err != nil {
		return err
	}
	p.lease, err = parseLease(env)
	return err
}

// await reads the script's news until the event comes.
func (d *dhcpClient) await(ctx context.Context, event string) (map[string]string, error) {
	d.news.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { d.news.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-d.daemon.Done():
			d.news.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // what is on its way may come
		case <-ended:
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := d.news.Read(buf)
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return nil, fmt.Errorf("wait for DHCP %s: %w; udhcpc said:\n%s", event, err, strings.Join(d.daemon.Lines(), "\n"))
		}
		var news dhcpNews
		if err := json.Unmarshal(buf[:n], &news); err != nil {
			return nil, err
		}
		if news.Error != "" {
			return nil, fmt.Errorf("DHCP %s: %s", news.Event, news.Error)
		}
		if news.Event == event {
			return news.Env, nil
		}
	}
}

// release gives the lease back and ends the client.
func (d *dhcpClient) release(ctx context.Context) error {
	defer d.abandon()
	if err := d.daemon.Signal(unix.SIGUSR2); err != nil {
		return err
	}
	// udhcpc sends the release and then tells the script to take the
	// address away.
	_, err := d.await(ctx, "deconfig")
	return err
}

// abandon ends the client without a word to the server.
func (d *dhcpClient) abandon() {
	d.daemon.Kill()
	d.news.Close()
}

func parseLease(env map[string]string) (Lease, error) {
	bad := func(what string, err error) (Lease, error) { return Lease{}, fmt.Errorf("lease: %s: %w", what, err) }
	l := Lease{Options: env}
	prefix, err := netip.ParsePrefix(env["ip"] + "/" + env["mask"])
	if err != nil {
		return bad("ip", err)
	}
	l.Addr = prefix
	if routers := strings.Fields(env["router"]); len(routers) > 0 {
		if l.Router, err = netip.ParseAddr(routers[0]); err != nil {
			return bad("router", err)
		}
	}
	for _, s := range strings.Fields(env["dns"]) {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return bad("dns", err)
		}
		l.DNS = append(l.DNS, addr)
	}
	if l.Server, err = netip.ParseAddr(env["serverid"]); err != nil {
		return bad("serverid", err)
	}
	seconds, err := strconv.Atoi(env["lease"])
	if err != nil {
		return bad("lease", err)
	}
	l.Time = time.Duration(seconds) * time.Second
	return l, nil
}

// runDHCPScript is the role dhcp: udhcpc has started it in the phone's
// namespace with the event as its argument and the lease in its environment.
func runDHCPScript() error {
	news := dhcpNews{Env: make(map[string]string)}
	if len(os.Args) > 1 {
		news.Event = os.Args[1]
	}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		// udhcpc writes its names in small letters.
		if k == strings.ToLower(k) {
			news.Env[k] = v
		}
	}
	err := configureLease(news)
	if err != nil {
		news.Error = err.Error()
	}
	text, err := json.Marshal(news)
	if err != nil {
		return err
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv(envSocket), Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("world: tell of DHCP %s: %w", news.Event, err)
	}
	defer conn.Close()
	_, err = conn.Write(text)
	return err
}

func configureLease(news dhcpNews) error {
	switch news.Event {
	case "deconfig", "bound", "renew":
	default:
		return nil
	}
	link, err := netlink.LinkByName(news.Env["interface"])
	if err != nil {
		return err
	}
	var lease Lease
	if news.Event != "deconfig" {
		if lease, err = parseLease(news.Env); err != nil {
			return err
		}
		a := &netlink.Addr{IPNet: ipNet(lease.Addr)}
		a.IP = lease.Addr.Addr().AsSlice()
		if err := netlink.AddrReplace(link, a); err != nil {
			return err
		}
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if old, _ := netip.AddrFromSlice(a.IP.To4()); old != lease.Addr.Addr() {
			if err := netlink.AddrDel(link, &a); err != nil {
				return err
			}
		}
	}
	if news.Event == "deconfig" {
		return netlink.LinkSetUp(link)
	}
	if lease.Router.IsValid() {
		if err := defaultRoute(news.Env["interface"], lease.Router); err != nil {
			return err
		}
	}
	var servers []string
	for _, a := range lease.DNS {
		servers = append(servers, a.String())
	}
	return writeResolvConf(os.Getenv(envResolv), servers...)
}
