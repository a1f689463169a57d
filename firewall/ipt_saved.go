package firewall

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// saved is what iptables-save prints: table, chain, rules. A chain without
// rules is there with none.
type saved map[string]map[string][]string

// parseSaved reads what iptables-save has printed. A table without its COMMIT
// is an error: half a list must not be taken for tampering.
func parseSaved(text string) (saved, error) {
	s := saved{}
	var table map[string][]string
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		fault := func(what string) error { return fmt.Errorf("line %d: %s", n, what) }
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '*':
			if table != nil {
				return nil, fault("a table within a table")
			}
			table = map[string][]string{}
			s[line[1:]] = table
		case table == nil:
			return nil, fault("outside of a table")
		case line == "COMMIT":
			table = nil
		case line[0] == ':':
			name, _, ok := strings.Cut(line[1:], " ")
			if !ok || name == "" {
				return nil, fault("a chain without a policy")
			}
			table[name] = []string{}
		default:
			if line[0] == '[' { // counters, with iptables-save -c
				_, line, _ = strings.Cut(line, "] ")
			}
			rest, ok := strings.CutPrefix(line, "-A ")
			if !ok {
				return nil, fault("neither chain nor rule")
			}
			chain, rule, _ := strings.Cut(rest, " ")
			if _, ok := table[chain]; !ok {
				return nil, fault("a rule of no chain")
			}
			table[chain] = append(table[chain], normal(rule))
		}
	}
	if table != nil {
		return nil, fmt.Errorf("line %d: the end is missing", n)
	}
	return s, nil
}

// protocols are the names of protocols that some versions of iptables-save
// print by number or by another name.
var protocols = map[string]string{"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp"}

// normal makes equal rules that versions of iptables-save print differently.
// A rule of ours holds no quotes; one that does is left as it is.
func normal(rule string) string {
	if strings.ContainsAny(rule, `"'\`) {
		return rule
	}
	words := strings.Fields(rule)
	for i := 1; i < len(words); i++ {
		switch words[i-1] {
		case "-p":
			if name, ok := protocols[words[i]]; ok {
				words[i] = name
			}
		case "--ctstate":
			states := strings.Split(words[i], ",")
			slices.Sort(states)
			slices.Reverse(states) // RELATED,ESTABLISHED, as most print it
			words[i] = strings.Join(states, ",")
		case "-d", "-s": // some write IPv6 addresses in another way
			if p, err := netip.ParsePrefix(words[i]); err == nil {
				words[i] = p.Masked().String()
			}
		case "--hashlimit-above":
			// Rounded, and in units of its own. The name of the buckets has
			// the speed, and the kernel goes by that: see police.
			words[i] = "speed"
		}
	}
	return strings.Join(words, " ")
}

// target is the chain or target that a rule jumps or goes to; empty for none.
func target(rule string) string {
	words := splitRule(rule)
	for i := 1; i < len(words); i++ {
		if words[i-1] == "-j" || words[i-1] == "-g" {
			return words[i]
		}
	}
	return ""
}

// splitRule splits a rule into arguments. iptables-save quotes those with
// blanks in double quotes and puts a backslash before quotes and backslashes
// within (xtables_save_string).
func splitRule(rule string) []string {
	var words []string
	var word strings.Builder
	quoted, escaped, open := false, false, false
	for _, c := range []byte(rule) {
		switch {
		case escaped:
			word.WriteByte(c)
			escaped = false
		case c == '\\' && quoted:
			escaped = true
		case c == '"':
			quoted, open = !quoted, true
		case c == ' ' && !quoted:
			if open {
				words = append(words, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteByte(c)
			open = true
		}
	}
	if open {
		words = append(words, word.String())
	}
	return words
}

// ours are the chains whose names are ours, in each table that has some.
func (s saved) ours() map[string][]string {
	found := map[string][]string{}
	for table, chains := range s {
		for name := range chains {
			if strings.HasPrefix(name, prefix) {
				found[table] = append(found[table], name)
			}
		}
		slices.Sort(found[table])
		if len(found[table]) == 0 {
			delete(found, table)
		}
	}
	return found
}

// stale are the chains of ours that are not wanted.
func (s saved) stale(want []tableDef) map[string][]string {
	found := s.ours()
	for _, t := range want {
		found[t.name] = slices.DeleteFunc(found[t.name], func(name string) bool {
			return slices.ContainsFunc(t.chains, func(c chainDef) bool { return c.name == name })
		})
	}
	maps.DeleteFunc(found, func(_ string, names []string) bool { return len(names) == 0 })
	return found
}

// A difference between wish and kernel.
type difference struct {
	table string
	text  string
}

// differences are what in the kernel is not as wanted: our chains must be
// exactly as they are rendered, and our jumps first in their chains, once.
func (s saved) differences(fam family, want []tableDef) []difference {
	var all []difference
	add := func(table, chain, format string, args ...any) {
		all = append(all, difference{table, fmt.Sprintf("%s %s %s: %s", fam.name, table, chain, fmt.Sprintf(format, args...))})
	}
	for _, t := range want {
		for _, c := range t.chains {
			rules, ok := s[t.name][c.name]
			switch {
			case !ok:
				add(t.name, c.name, "the chain is missing")
			case len(rules) == 0 && len(c.rules) > 0:
				add(t.name, c.name, "the chain was emptied")
			case !slices.EqualFunc(rules, c.rules, func(have, want string) bool { return have == normal(want) }):
				add(t.name, c.name, "the rules were changed (%d, want %d)", len(rules), len(c.rules))
			}
			if c.hook == "" {
				continue
			}
			at := jumps(s[t.name][c.hook], c.name)
			switch {
			case len(at) == 0:
				add(t.name, c.hook, "the jump to %s is missing", c.name)
			case at[0] != 0:
				add(t.name, c.hook, "the jump to %s is in place %d, want 1", c.name, at[0]+1)
			case len(at) > 1:
				add(t.name, c.hook, "the jump to %s is there %d times", c.name, len(at))
			}
		}
	}
	stale := s.stale(want)
	for _, table := range sortedKeys(stale) {
		for _, name := range stale[table] {
			add(table, name, "the chain is left over")
		}
	}
	return all
}

// jumps are the places (from 0) of the bare jump to a chain.
func jumps(rules []string, to string) []int {
	var at []int
	for i, rule := range rules {
		if rule == "-j "+to {
			at = append(at, i)
		}
	}
	return at
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
