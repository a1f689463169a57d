package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// archOf is what OpenWrt calls the architecture of what docs/hardware.md names:
// arch_packages in the profiles.json of its target (mediatek/filogic,
// qualcommax, ipq40xx, ipq806x, mvebu/cortexa9, kirkwood, bcm27xx/bcm2711,
// bcm53xx, x86, starfive, d1, ramips, ath79).
var archOf = map[string]string{
	"PCs": "x86_64", "small firewalls": "x86_64", "virtual machines": "x86_64",
	"MT7981": "aarch64_cortex-a53", "MT7986": "aarch64_cortex-a53", "GL-MT3000": "aarch64_cortex-a53",
	"Cudy WR3000": "aarch64_cortex-a53", "Xiaomi AX3000T": "aarch64_cortex-a53", "IPQ807x": "aarch64_cortex-a53",
	"Raspberry Pi 4": "aarch64_cortex-a72",
	"IPQ40xx":        "arm_cortex-a7_neon-vfpv4", "IPQ806x": "arm_cortex-a15_neon-vfpv4", "Armada 385": "arm_cortex-a9_vfpv3-d16",
	"Kirkwood": "arm_xscale", "every ARM without floating point": "arm_cortex-a9",
	"old PCs":         "i386_pentium4",
	"StarFive JH7110": "riscv64_generic", "D1": "riscv64_generic",
	"MT7621": "mipsel_24kc", "MT7628": "mipsel_24kc",
	"ath79": "mips_24kc", "QCA9531": "mips_24kc", "QCA9558": "mips_24kc",
}

// document is docs/hardware.md.
func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/hardware.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryRouterThatIsNamedHasAPackage holds that whoever has one of the
// machines of the table of sizes finds a package for it.
func TestEveryRouterThatIsNamedHasAPackage(t *testing.T) {
	_, table, _ := strings.Cut(document(t), "<!-- written by: make hardware -->")
	table, _, _ = strings.Cut(table, "<!-- end -->")
	rows := regexp.MustCompile(`(?m)^\| (\S+) \| ([^|]+) \| (?:C|Go) \|`).FindAllStringSubmatch(table, -1)
	seen := 0
	for _, row := range rows {
		m, err := findMachine(row[1])
		if err != nil {
			continue // it is not shipped
		}
		seen++
		for _, router := range strings.FieldsFunc(strings.NewReplacer("and every", ", every").Replace(row[2]), func(r rune) bool { return strings.ContainsRune(",()", r) }) {
			if router = strings.TrimSpace(router); router == "" {
				continue
			}
			arch, known := archOf[router]
			if !known {
				t.Errorf("%s: which architecture of OpenWrt's is it? Write it into this test", router)
			} else if !slices.Contains(m.opkg, arch) || !slices.Contains(m.apk, arch) {
				t.Errorf("%s is promised the program for %s, and no package is made for %s: opkg %v, apk %v", router, m.name, arch, m.opkg, m.apk)
			}
		}
	}
	if seen != len(machines) {
		t.Errorf("got %d machines in the table, want %d", seen, len(machines))
	}
}

// TestTheDocumentKnowsTheArchitectures holds its table of them to ours.
func TestTheDocumentKnowsTheArchitectures(t *testing.T) {
	text := document(t)
	for _, m := range machines {
		names := slices.Clone(m.opkg)
		for i, name := range names {
			if !slices.Contains(m.apk, name) {
				names[i] += " (to 24.10)"
			}
		}
		if want := "| " + m.name + " | " + strings.Join(names, ", ") + " |\n"; !strings.Contains(text, want) {
			t.Errorf("docs/hardware.md has no line %s", want)
		}
	}
}
