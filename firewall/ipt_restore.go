package firewall

import (
	"fmt"
	"strings"
)

// restoreText is the input of iptables-restore --noflush that fills our
// chains and removes the stale ones (table to chains), each table in one
// transaction with the jumps to it. A chain that is declared again is emptied
// first.
//
// have is what is there; a jump that is not in its place is moved in the same
// transaction: between taking it out and putting it in somebody would get
// through.
func restoreText(tables []tableDef, stale map[string][]string, have saved) string {
	var b strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&b, "*%s\n", t.name)
		for _, c := range t.chains {
			fmt.Fprintf(&b, ":%s - [0:0]\n", c.name)
		}
		for _, c := range t.chains {
			for _, rule := range c.rules {
				fmt.Fprintf(&b, "-A %s %s\n", c.name, rule)
			}
		}
		for _, c := range t.chains {
			if c.hook == "" {
				continue
			}
			at := jumps(have[t.name][c.hook], c.name)
			if len(at) == 1 && at[0] == 0 {
				continue
			}
			for range at {
				fmt.Fprintf(&b, "-D %s -j %s\n", c.hook, c.name)
			}
			fmt.Fprintf(&b, "-I %s 1 -j %s\n", c.hook, c.name)
		}
		for _, name := range stale[t.name] {
			fmt.Fprintf(&b, "-F %s\n", name)
		}
		for _, name := range stale[t.name] {
			fmt.Fprintf(&b, "-X %s\n", name)
		}
		b.WriteString("COMMIT\n")
	}
	return b.String()
}

// dropText is the input of iptables-restore --noflush that removes chains,
// table by table. Nothing may jump to them any more but themselves.
func dropText(chains map[string][]string) string {
	var tables []tableDef
	for _, name := range sortedKeys(chains) {
		tables = append(tables, tableDef{name: name})
	}
	return restoreText(tables, chains, nil)
}
