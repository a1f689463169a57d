package firewall

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// A nftState is our table as the kernel has it.
type nftState struct {
	there  bool
	flags  uint32
	sets   map[string]nftSetDef
	nets   map[string][]string // the members of constant sets, as text
	chains map[string]nftChainState
	others []string // flow tables and named objects, which ours has none of
}

type nftChainState struct {
	hook  *nftHook
	rules []string // as ruleText writes them
}

// readTries is how often a reading is begun anew because something was
// changed meanwhile.
const readTries = 16

// read reads our table, all of it at one generation of the rules.
func (b *nftables) read() (s nftState, err error) {
	for range readTries {
		s, err = b.readOnce()
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	if err != nil {
		return s, fmt.Errorf("read table inet %s: %w", nftTable, err)
	}
	return s, nil
}

func (b *nftables) readOnce() (s nftState, err error) {
	s = nftState{sets: map[string]nftSetDef{}, nets: map[string][]string{}, chains: map[string]nftChainState{}}
	var seen []uint16
	list := func(command uint16, table uint16, what string, each func(body []byte)) {
		if err != nil {
			return
		}
		var m messages
		at := m.nft(command, unix.NLM_F_DUMP, what)
		m.text(table, nftTable) // a filter where the kernel has one
		m.shut(at)
		err = b.wire.dump(&m, func(generation uint16, body []byte) {
			if !slices.Contains(seen, generation) {
				seen = append(seen, generation)
			}
			each(body)
		})
	}
	list(unix.NFT_MSG_GETTABLE, unix.NFTA_TABLE_NAME, "list tables", func(body []byte) {
		f := readFields(body)
		if text(f[unix.NFTA_TABLE_NAME]) == nftTable {
			s.there, s.flags = true, uint32Attr(f[unix.NFTA_TABLE_FLAGS])
		}
	})
	if err != nil || !s.there {
		return s, err
	}
	list(unix.NFT_MSG_GETCHAIN, unix.NFTA_CHAIN_TABLE, "list chains", s.addChain)
	list(unix.NFT_MSG_GETRULE, unix.NFTA_RULE_TABLE, "list rules", s.addRule)
	list(unix.NFT_MSG_GETSET, unix.NFTA_SET_TABLE, "list sets", func(body []byte) {
		if table, d := readSetDef(body); table == nftTable {
			s.sets[d.name] = d
		}
	})
	for what, command := range map[string]uint16{"object": unix.NFT_MSG_GETOBJ, "flow table": unix.NFT_MSG_GETFLOWTABLE} {
		list(command, unix.NFTA_OBJ_TABLE, "list "+what+"s", func(body []byte) {
			f := readFields(body)
			if text(f[unix.NFTA_OBJ_TABLE]) == nftTable {
				s.others = append(s.others, what+" "+text(f[unix.NFTA_OBJ_NAME]))
			}
		})
	}
	for _, name := range sortedKeys(s.sets) {
		if !s.sets[name].constant() || err != nil {
			continue
		}
		var all []string
		if err = b.eachElement(name, func(e element) { all = append(all, e.text()) }); err == nil {
			slices.Sort(all)
			s.nets[name] = all
		}
	}
	if err == nil && len(seen) > 1 {
		err = errInterrupted
	}
	return s, err
}

// eachElement hands each member of a set to do.
func (b *nftables) eachElement(set string, do func(element)) error {
	var m messages
	at := m.nft(unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP, "list set "+set)
	m.text(unix.NFTA_SET_ELEM_LIST_TABLE, nftTable)
	m.text(unix.NFTA_SET_ELEM_LIST_SET, set)
	m.shut(at)
	return b.wire.dump(&m, func(_ uint16, body []byte) { readElements(body, do) })
}

// addChain reads one message of a list of chains.
func (s nftState) addChain(b []byte) {
	f := readFields(b)
	if text(f[unix.NFTA_CHAIN_TABLE]) != nftTable {
		return
	}
	var c nftChainState
	flags := uint32Attr(f[nftaChainFlags]) &^ nftChainBase
	if hook, ok := f[unix.NFTA_CHAIN_HOOK]; ok || flags != 0 {
		h := readFields(hook)
		c.hook = &nftHook{
			kind:     text(f[unix.NFTA_CHAIN_TYPE]),
			hook:     uint32Attr(h.take(unix.NFTA_HOOK_HOOKNUM)),
			priority: int32(uint32Attr(h.take(unix.NFTA_HOOK_PRIORITY))),
			policy:   uint32Attr(f[unix.NFTA_CHAIN_POLICY]),
			flags:    flags,
			device:   len(h) > 0,
		}
	}
	s.chains[text(f[unix.NFTA_CHAIN_NAME])] = c
}

// addRule reads one message of a list of rules. Chains are listed before.
func (s nftState) addRule(b []byte) {
	f := readFields(b)
	if text(f[unix.NFTA_RULE_TABLE]) != nftTable {
		return
	}
	name := text(f[unix.NFTA_RULE_CHAIN])
	c := s.chains[name]
	c.rules = append(c.rules, ruleText(f[unix.NFTA_RULE_EXPRESSIONS]))
	s.chains[name] = c
}

// What golang.org/x/sys does not name: linux/netfilter/nf_tables.h.
const (
	nftaChainFlags = 10
	nftChainBase   = 1
)
