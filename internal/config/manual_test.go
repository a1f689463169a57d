package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/uci"
)

// TestManual holds docs/configuration.md to the table of options; -update
// writes it.
func TestManual(t *testing.T) {
	var b strings.Builder
	b.WriteString(manualHead)
	manual(&b, hienKind())
	manual(&b, zoneKind())
	manual(&b, senderKind())
	manual(&b, sinkKind())
	b.WriteString("## An example\n\n```\n" + strings.Replace(shop(t), "SEALKEY", sealKey, 1) + "```\n")
	b.WriteString("\n## An example of senders\n\n```\n" + senders(t) + "```\n")
	golden(t, "../../docs/configuration.md", b.String())
}

const manualHead = `# Configuration

*Written from the table in internal/config/options.go by its test with ` + "`-update`" + `; change it there.*

Hiên reads one file, /etc/config/hien (` + "`hien run --config`" + ` names another), in OpenWrt's UCI syntax: ` + "`uci`" + ` and LuCI can read and change it. It is read strictly: an unknown section or option, one given twice, or a value that is not allowed keeps Hiên from starting. ` + "`hien config check`" + ` tells all that is wrong at once, with file, line and what is allowed. An empty value is no value, as everywhere in UCI. SIGHUP reads the file again; if it is wrong then, the old one stays in force.

`

func manual[T any](b *strings.Builder, k kind[T]) {
	fmt.Fprintf(b, "## config %s '%s'\n\n%s\n\n| option | value | without it | meaning |\n|---|---|---|---|\n", k.typ, k.example, k.manual)
	for _, row := range k.options {
		command, without := "option", "-"
		if row.list {
			command = "list"
		}
		switch {
		case row.must:
			without = "an error"
		case row.unset != "":
			without = "`" + row.unset + "`"
		}
		fmt.Fprintf(b, "| `%s %s` | %s | %s | %s |\n", command, row.name, row.allowed, without, row.manual)
	}
	b.WriteByte('\n')
}

// TestExampleShowsEveryOption holds the manual's examples to the table.
func TestExampleShowsEveryOption(t *testing.T) {
	shown := map[string]bool{}
	for name, text := range map[string]string{"shop.uci": shop(t), "senders.uci": senders(t)} {
		f, err := uci.Parse(name, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range f.Sections {
			for _, o := range s.Options {
				shown[s.Type.Text+"."+o.Name.Text] = true
			}
		}
	}
	for _, option := range slices.Concat(names(hienKind()), names(zoneKind()), names(senderKind()), names(sinkKind())) {
		if !shown[option] {
			t.Errorf("the examples have no %s", option)
		}
	}
}

func names[T any](k kind[T]) (all []string) {
	for _, row := range k.options {
		all = append(all, k.typ+"."+row.name)
	}
	return all
}
