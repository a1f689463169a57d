package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-iptables/iptables"
	"golang.org/x/sys/unix"
)

// Options are what a Firewall is opened with.
type Options struct {
	Log *slog.Logger // nil discards
}

// lockSeconds is how long a tool waits for another one that is changing the
// rules. The library's default of 0 would wait for ever.
const lockSeconds = 5

// A Firewall is the door of one network namespace: the one in which it was
// opened and in whose threads Apply, Check, Keep and Cleanup are called, as
// they start programs. It may be used by many at once.
type Firewall struct {
	log      *slog.Logger
	kernel   Kernel
	families []tools
	ipset    string // the program
	sets     ipset
	flows    conntrack

	work    sync.Mutex // held while the rules are compared or changed
	members sync.Mutex // held while members are changed or sets replaced
	repairs atomic.Uint64

	state    sync.Mutex // guards what follows
	wish     Ruleset
	applied  bool // there is a wish to keep
	released bool
}

// tools are the programs of one family.
type tools struct {
	family
	ipt           *iptables.IPTables
	save, restore string
}

// Open looks whether the programs and the kernel have what the door needs. It
// changes nothing. An error names what is missing and the package that has it.
func Open(ctx context.Context, o Options) (*Firewall, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	f := &Firewall{log: o.Log}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	six, err := hasIPv6()
	if err != nil {
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	f.kernel.IPv6 = six
	if err := f.findTools(); err != nil {
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	rules, err := openWire()
	if err != nil {
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	connections, err := openWire()
	if err != nil {
		rules.close()
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	f.sets, f.flows = ipset{rules}, conntrack{connections}
	if err := f.findTypes(); err != nil {
		f.Close()
		return nil, fmt.Errorf("open firewall: %w", err)
	}
	if !six {
		f.log.Info("this kernel has no IPv6; the firewall is for IPv4 only")
	}
	return f, nil
}

// Close gives back the sockets. The rules and the passes stay in force.
func (f *Firewall) Close() error {
	f.sets.close()
	f.flows.close()
	return nil
}

// Kernel is what the kernel offers.
func (f *Firewall) Kernel() Kernel { return f.kernel }

// hasIPv6 asks the kernel for an IPv6 socket. That IPv6 is switched off on
// some interface does not count: it may be switched on again.
func hasIPv6() (bool, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for IPv6: %w", err)
	}
	unix.Close(fd)
	return true, nil
}

// findTools finds every program, and reports all that are missing at once.
func (f *Firewall) findTools() error {
	var errs []error
	find := func(name, debian, openwrt string) string {
		path, err := exec.LookPath(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("the program %s is missing: install the package %s (Debian, Ubuntu) or %s (OpenWrt)", name, debian, openwrt))
		}
		return path
	}
	family := func(fam family, command, openwrt string) {
		path := find(command, "iptables", openwrt)
		t := tools{family: fam, save: find(command+"-save", "iptables", openwrt), restore: find(command+"-restore", "iptables", openwrt)}
		if path == "" || t.save == "" || t.restore == "" {
			return
		}
		proto := iptables.ProtocolIPv4
		if fam.six {
			proto = iptables.ProtocolIPv6
		}
		var err error
		t.ipt, err = iptables.New(iptables.IPFamily(proto), iptables.Path(path), iptables.Timeout(lockSeconds))
		if err != nil {
			errs = append(errs, fmt.Errorf("run %s: %w", path, err))
		}
		f.families = append(f.families, t)
	}
	family(ipv4, "iptables", "iptables-nft")
	if f.kernel.IPv6 {
		family(ipv6, "ip6tables", "ip6tables-nft")
	}
	f.ipset = find("ipset", "ipset", "ipset and kmod-ipt-ipset")
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return nil
}

// findTypes picks the set types: with the hardware address where there are
// such.
func (f *Firewall) findTypes() error {
	pick := func(family uint8, kinds ...SetType) (SetType, error) {
		for _, kind := range kinds {
			ok, err := f.sets.has(kind, family)
			if err != nil {
				return "", fmt.Errorf("%w: the kernel does not answer for ipset: install kmod-ipt-ipset (OpenWrt), or a kernel with CONFIG_IP_SET, and run as root", err)
			}
			if ok {
				return kind, nil
			}
		}
		return "", fmt.Errorf("the kernel has none of the set types %v: install kmod-ipt-ipset (OpenWrt), or a kernel with them", kinds)
	}
	var err error
	if f.kernel.V4, err = pick(unix.AF_INET, HashIPMAC, BitmapIPMAC); err != nil {
		return err
	}
	if f.kernel.IPv6 {
		f.kernel.V6, err = pick(unix.AF_INET6, HashMAC, HashIP)
	}
	return err
}

// toolPatience is how long one of the programs may take.
const toolPatience = 30 * time.Second

// run starts a program with the given input and returns what it prints.
func run(ctx context.Context, input string, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, toolPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &complaint
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(complaint.String())
		return "", fmt.Errorf("%s: %w: %s", path, err, said[:min(len(said), 500)])
	}
	return out.String(), nil
}
