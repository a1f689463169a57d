package firewall

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-iptables/iptables"
	"golang.org/x/sys/unix"
)

// lockSeconds is how long a tool waits for another one that is changing the
// rules. The library's default of 0 would wait for ever.
const lockSeconds = 5

// iptablesBackend keeps the rules with iptables and the members with ipset.
type iptablesBackend struct {
	k        Kernel
	families []tools
	ipset    string // the program
	sets     ipset
	legacy   *legacy // nil where the programs are the nf_tables variant
}

// tools are the programs of one family.
type tools struct {
	family
	ipt                 *iptables.IPTables
	path, save, restore string
}

// openIPTables finds the programs and asks the kernel for its set types.
func openIPTables(six bool) (backend, error) {
	b := &iptablesBackend{k: Kernel{Backend: IPTables, IPv6: six}}
	if err := b.findTools(); err != nil {
		return nil, err
	}
	wire, err := openWire()
	if err != nil {
		return nil, err
	}
	b.sets = ipset{wire}
	if err := b.findTypes(); err != nil {
		wire.close()
		return nil, err
	}
	if old, err := isLegacy(b.families[0].path); err != nil || old {
		if err == nil {
			b.legacy, err = openLegacy(six)
		}
		if err != nil {
			wire.close()
			return nil, err
		}
	}
	return b, nil
}

func (b *iptablesBackend) kernel() Kernel { return b.k }

func (b *iptablesBackend) close() error {
	b.sets.close()
	if b.legacy != nil {
		b.legacy.close()
	}
	return nil
}

// findTools finds every program, and reports all that are missing at once.
func (b *iptablesBackend) findTools() error {
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
		t := tools{family: fam, path: path, save: find(command+"-save", "iptables", openwrt), restore: find(command+"-restore", "iptables", openwrt)}
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
		b.families = append(b.families, t)
	}
	family(ipv4, "iptables", "iptables-nft")
	if b.k.IPv6 {
		family(ipv6, "ip6tables", "ip6tables-nft")
	}
	b.ipset = find("ipset", "ipset", "ipset and kmod-ipt-ipset")
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return nil
}

// findTypes picks the set types: with the hardware address where there are
// such.
func (b *iptablesBackend) findTypes() error {
	pick := func(family uint8, kinds ...SetType) (SetType, error) {
		for _, kind := range kinds {
			ok, err := b.sets.has(kind, family)
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
	if b.k.V4, err = pick(unix.AF_INET, HashIPMAC, BitmapIPMAC); err != nil {
		return err
	}
	if b.k.IPv6 {
		b.k.V6, err = pick(unix.AF_INET6, HashMAC, HashIP)
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

func (b *iptablesBackend) change(_ context.Context, z Zone, del, add []entry) error {
	var errs []error // a set that is full keeps nobody out of the others
	for _, e := range del {
		if d := z.set(e.set, b.k); d.holds(e.addr) {
			errs = append(errs, b.take(d, e.member))
		}
	}
	for _, e := range add {
		d := z.set(e.set, b.k)
		switch {
		case !d.holds(e.addr):
		case d.hosts:
			errs = append(errs, b.plant(d, e.member))
		default:
			errs = append(errs, b.sets.put(d, e.member))
		}
	}
	return errors.Join(errs...)
}

// take takes one member out of a set. A bitmap's member is found by address
// alone when it is deleted, so one that belongs to another device by now is
// looked at first and kept.
func (b *iptablesBackend) take(d setDef, m member) error {
	if d.kind == BitmapIPMAC {
		if in, err := b.sets.test(d.name, m); err != nil || !in {
			return err
		}
	}
	return b.sets.del(d.name, m)
}

// plant puts a host into a set. One that is there keeps the longer time. The
// kernel tells a member's time in a list of the whole set only, so that is
// read for a host that is there, and not for a new one.
func (b *iptablesBackend) plant(d setDef, m member) error {
	err := b.sets.add(d, m, unix.NLM_F_EXCL, false)
	if !errors.Is(err, errIsThere) {
		return err
	}
	set, err := b.sets.list(d.name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(set.members, func(have member) bool { return have.addr == m.addr && have.left >= m.left }) {
		return nil
	}
	return b.sets.add(d, m, 0, false)
}

func (b *iptablesBackend) members(_ context.Context, z Zone, id setID) ([]member, error) {
	set, err := b.sets.list(z.set(id, b.k).name)
	return set.members, err
}
