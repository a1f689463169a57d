package world

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Snapshot describes the network of the namespaces it is called in, as text
// that is the same as long as nothing was changed: packet filters of every
// kind, sets, rules, routes, links, addresses, every value under /proc/sys/net,
// the resolver's files, mounts, named namespaces and temporary files of a
// world. Counters, timestamps, lifetimes and neighbours are left out, as they
// change by themselves.
func Snapshot(ctx context.Context) (string, error) {
	var s strings.Builder
	commands := [][]string{
		{"iptables-legacy-save"}, {"ip6tables-legacy-save"},
		{"iptables-nft-save"}, {"ip6tables-nft-save"},
		{"nft", "list", "ruleset"},
		{"ipset", "save"},
		{"ip", "-4", "rule"}, {"ip", "-6", "rule"},
		{"ip", "-4", "route", "show", "table", "all"}, {"ip", "-6", "route", "show", "table", "all"},
		{"ip", "-d", "link"}, {"ip", "addr"},
	}
	for _, argv := range commands {
		if err := snapCommand(ctx, &s, argv); err != nil {
			return "", err
		}
	}
	if err := snapSysctls(&s); err != nil {
		return "", err
	}
	for _, file := range []string{"/etc/resolv.conf", "/etc/hosts", "/proc/self/mountinfo"} {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		fmt.Fprintf(&s, "== %s\n%s", file, text)
	}
	for _, pattern := range []string{netnsDir + "/*", runDir, filepath.Join(os.TempDir(), "hien-world*"), "/tmp/hien-world*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&s, "== %s\n%s\n", pattern, strings.Join(names, "\n"))
	}
	return s.String(), nil
}

// passing is what changes by itself in what the commands print.
var passing = regexp.MustCompile(`(?m)^#.*\n| expires \d+sec| valid_lft \S+ preferred_lft \S+|\[\d+:\d+\]|counter packets \d+ bytes \d+| (hoplimit|age|gc_timer|tcn_timer|hello_timer|topology_change_timer) +\d+(\.\d+)?`)

func snapCommand(ctx context.Context, s *strings.Builder, argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		fmt.Fprintf(s, "== %s: not here\n", argv[0])
		return nil
	}
	out, err := exec.CommandContext(ctx, path, argv[1:]...).CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// A program that the kernel or a missing right refuses must be refused
	// in the same way later.
	fmt.Fprintf(s, "== %s (%v)\n%s", strings.Join(argv, " "), err, passing.ReplaceAll(out, nil))
	return nil
}

// restless are values under /proc/sys/net that change by themselves.
var restless = map[string]bool{
	"/proc/sys/net/netfilter/nf_conntrack_count": true,
}

func snapSysctls(s *strings.Builder) error {
	fmt.Fprintln(s, "== /proc/sys/net")
	return filepath.WalkDir("/proc/sys/net", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // its interface has just gone
		case err != nil:
			return err
		case entry.IsDir() || restless[path]:
			return nil
		}
		if info, err := entry.Info(); err != nil || info.Mode().Perm()&0o444 == 0 {
			return nil // a button, as ipv4/route/flush
		}
		text, err := os.ReadFile(path)
		if err != nil {
			var p *fs.PathError
			if errors.As(err, &p) {
				err = p.Err
			}
			text = []byte(err.Error())
		}
		fmt.Fprintf(s, "%s = %s\n", strings.TrimPrefix(path, "/proc/sys/net/"), strings.TrimSpace(string(text)))
		return nil
	})
}

// SnapshotDiff tells what differs between two snapshots, line by line with
// the section each line stands in; it is empty when nothing does.
func SnapshotDiff(before, after string) string {
	was, is := sectioned(before), sectioned(after)
	var d strings.Builder
	tell := func(sign string, lines []string, others map[string]int) {
		for _, line := range lines {
			if others[line]--; others[line] < 0 {
				fmt.Fprintf(&d, "%s %s\n", sign, line)
			}
		}
	}
	tell("-", was, counted(is))
	tell("+", is, counted(was))
	return d.String()
}

func sectioned(snapshot string) []string {
	var lines []string
	section := ""
	for line := range strings.Lines(snapshot) {
		line = strings.TrimRight(line, " \n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			section = name
		}
		lines = append(lines, section+": "+line)
	}
	return lines
}

func counted(lines []string) map[string]int {
	n := make(map[string]int)
	for _, l := range lines {
		n[l]++
	}
	return n
}
