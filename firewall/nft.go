package firewall

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// nftables is the back end that speaks to nf_tables by netlink. It starts no
// program.
type nftables struct {
	wire *nftWire
	k    Kernel

	mu    sync.Mutex // guards what follows, of change
	ask   messages
	put   messages
	renew renewal

	wishing sync.Mutex // guards what follows
	wished  *Ruleset
	table   nftRuleset
}

// openNFTables asks the kernel for all that the rules need. It changes
// nothing. An error names everything that is missing.
func openNFTables(six bool) (backend, error) {
	wire, err := openNFTWire()
	if err != nil {
		return nil, fmt.Errorf("the kernel has no netfilter: %w", err)
	}
	if err := wire.try(nftParts()); err != nil {
		wire.close()
		return nil, err
	}
	return &nftables{wire: wire, k: Kernel{Backend: NFTables, V4: HashIPMAC, V6: HashMAC, IPv6: six}}, nil
}

func (b *nftables) kernel() Kernel { return b.k }

func (b *nftables) close() error { return b.wire.close() }

// A nftPart is something that the kernel must have.
type nftPart struct {
	what  string // as the owner reads it, and where it is found
	write func(*messages)
}

// probeZone has everything that a zone may have.
var probeZone = Zone{Name: "probe", Interface: "probe", PortalPort: 1, Garden: prefixes("192.0.2.0/24", "2001:db8::/32")}

// nftParts are what the rules are made of, each by itself.
func nftParts() []nftPart {
	const core = "OpenWrt: kmod-nft-core; "
	part := func(what string, write func(*messages)) nftPart { return nftPart{what, write} }
	parts := []nftPart{
		part("tables of the family inet ("+core+"CONFIG_NF_TABLES_INET, which needs IPv6 in the kernel)", func(m *messages) { m.newTable() }),
	}
	chain := func(c nftChain, what string) {
		parts = append(parts, part(what, func(m *messages) { m.newChain(c) }))
	}
	base := func(name, kind string, hook uint32) nftChain {
		return nftChain{name: name, hook: &nftHook{kind: kind, hook: hook, policy: nfAccept}}
	}
	chain(base("filter", "filter", unix.NF_INET_FORWARD), "filter chains ("+core+"CONFIG_NF_TABLES_INET)")
	chain(base("before", "filter", unix.NF_INET_PRE_ROUTING), "filter chains ("+core+"CONFIG_NF_TABLES_INET)")
	chain(base("nat", "nat", unix.NF_INET_PRE_ROUTING), "nat chains (OpenWrt: kmod-nft-nat; CONFIG_NFT_NAT)")
	chain(base("out", "nat", unix.NF_INET_POST_ROUTING), "nat chains (OpenWrt: kmod-nft-nat; CONFIG_NFT_NAT)")
	const sets = "sets of addresses with times and counters (Linux 5.7 or later; "
	for _, id := range []setID{passes4, passes6, garden4} {
		parts = append(parts, part(sets+core+"CONFIG_NF_TABLES)", func(m *messages) { m.newSet(probeZone.memberSet(id)) }))
	}
	nets := networks("nets", false, private4)
	parts = append(parts, part("sets of networks ("+core+"CONFIG_NF_TABLES)", func(m *messages) { m.newSet(nets); m.networks(nets) }))
	limits := buckets("limits", typeIPv4Addr, 4)
	parts = append(parts, part("sets of limits ("+core+"CONFIG_NFT_LIMIT)", func(m *messages) { m.newSet(limits) }))

	rule := func(chain, what string, steps ...step) {
		c := nftChain{name: chain}
		c.add(steps...)
		parts = append(parts, part(what, func(m *messages) { m.newRule(chain, c.rules[0]) }))
	}
	rule("filter", "counters ("+core+"CONFIG_NFT_COUNTER)", counts)
	rule("filter", "the connection's state ("+core+"CONFIG_NFT_CT)", isReply())
	rule("filter", "limits ("+core+"CONFIG_NFT_LIMIT)", exceeds(1000), drops)
	rule("filter", "limits for each address ("+core+"CONFIG_NFT_LIMIT)", eachExceeds(address(receiver, false), limits.name, 1000), drops)
	rule("before", "rejecting before routing (Linux 5.9 or later; "+core+"CONFIG_NFT_REJECT_INET)", proto(unix.IPPROTO_TCP), rejects(unix.NFT_REJECT_TCP_RST, 0))
	rule("before", "the kind of an address (OpenWrt: kmod-nft-fib; CONFIG_NFT_FIB_INET)", toRouter(unix.RTN_LOCAL))
	rule("before", "hardware addresses in sets ("+core+"CONFIG_NF_TABLES)", of(false), isGuest(false, probeZone.memberSet(passes4).name), marks(DefaultMark))
	rule("nat", "redirecting (OpenWrt: kmod-nft-nat or kmod-nft-core; CONFIG_NFT_REDIR)", to(unix.IPPROTO_TCP, 80), redirects(1))
	rule("out", "masquerading (OpenWrt: kmod-nft-nat; CONFIG_NFT_MASQ)", of(false), step{&expr.Masq{}})
	return parts
}

// try asks the kernel for all of it in a transaction without an end, which it
// checks and gives up. Nobody ever sees its table.
func (w *nftWire) try(parts []nftPart) error {
	m := messages{table: "hien-probe"}
	m.begin()
	part := map[uint32]string{}
	for _, p := range parts {
		first := m.count
		p.write(&m)
		for n := first; n < m.count; n++ {
			part[n] = p.what
		}
	}
	var errs []error
	told := map[string]bool{}
	if err := w.send(&m, nil, func(e nftError) bool {
		what, known := part[e.at]
		switch {
		case errors.Is(e.errno, unix.EPERM):
			what = "the right to change rules (run as root, or with CAP_NET_ADMIN)"
		case !known:
			what = "nf_tables (OpenWrt: kmod-nft-core; CONFIG_NF_TABLES)"
		}
		if !told[what] {
			errs = append(errs, fmt.Errorf("the kernel lacks %s: %w", what, e.errno))
		}
		told[what] = true
		return true
	}); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// cleanup deletes the table, whoever made it.
func (b *nftables) cleanup(context.Context) error {
	s, err := b.read()
	if err != nil || !s.there {
		return err
	}
	var m messages
	m.begin()
	m.dropTable()
	if err := b.wire.commit(&m); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete table inet %s: %w", nftTable, err)
	}
	return nil
}

// The messages that make and unmake what is no set.

func (m *messages) newTable() {
	at := m.nft(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, "make the table")
	m.ownTable(unix.NFTA_TABLE_NAME)
	m.u32(unix.NFTA_TABLE_FLAGS, 0)
	m.shut(at)
}

func (m *messages) dropTable() {
	at := m.nft(unix.NFT_MSG_DELTABLE, 0, "delete the table")
	m.ownTable(unix.NFTA_TABLE_NAME)
	m.shut(at)
}

func (m *messages) newChain(c nftChain) {
	at := m.nft(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, "make chain "+c.name)
	m.ownTable(unix.NFTA_CHAIN_TABLE)
	m.text(unix.NFTA_CHAIN_NAME, c.name)
	if h := c.hook; h != nil {
		hook := m.nest(unix.NFTA_CHAIN_HOOK)
		m.u32(unix.NFTA_HOOK_HOOKNUM, h.hook)
		m.u32(unix.NFTA_HOOK_PRIORITY, uint32(h.priority))
		m.close(hook)
		m.u32(unix.NFTA_CHAIN_POLICY, h.policy)
		m.text(unix.NFTA_CHAIN_TYPE, h.kind)
	}
	m.shut(at)
}

func (m *messages) dropChain(name string) {
	at := m.nft(unix.NFT_MSG_DELCHAIN, 0, "delete chain "+name)
	m.ownTable(unix.NFTA_CHAIN_TABLE)
	m.text(unix.NFTA_CHAIN_NAME, name)
	m.shut(at)
}

// flushChain deletes a chain's rules.
func (m *messages) flushChain(name string) {
	at := m.nft(unix.NFT_MSG_DELRULE, 0, "empty chain "+name)
	m.ownTable(unix.NFTA_RULE_TABLE)
	m.text(unix.NFTA_RULE_CHAIN, name)
	m.shut(at)
}

func (m *messages) newRule(chain string, rule []expr.Any) {
	at := m.nft(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, "fill chain "+chain)
	m.ownTable(unix.NFTA_RULE_TABLE)
	m.text(unix.NFTA_RULE_CHAIN, chain)
	m.raw(unix.NFTA_RULE_EXPRESSIONS|unix.NLA_F_NESTED, expressions(rule))
	m.shut(at)
}

func (m *messages) dropSet(name string) {
	at := m.nft(unix.NFT_MSG_DELSET, 0, "delete set "+name)
	m.ownTable(unix.NFTA_SET_TABLE)
	m.text(unix.NFTA_SET_NAME, name)
	m.shut(at)
}
