package main

import (
	"fmt"
	"runtime"
	"strings"
)

// A machine is what one program runs on.
type machine struct {
	name    string // as releases are called
	goarch  string
	variant string // GOARM=7 and the like; empty: Go's own
	triple  string // of Debian's cross compiler; empty: none is of use
	qemu    string // QEMU's name, as in qemu-NAME-static
	routers string // examples, for people
}

// OpenWrt's kernels for MIPS have no emulation of floating point, and Debian's
// compiler for MIPS makes nothing without: there Go alone builds, with SQLite
// translated to Go.
var machines = []machine{
	{"amd64", "amd64", "GOAMD64=v1", "x86_64-linux-gnu", "x86_64", "PCs, small firewalls, virtual machines"},
	{"arm64", "arm64", "GOARM64=v8.0", "aarch64-linux-gnu", "aarch64", "MT7981, MT7986 (GL-MT3000, Cudy WR3000, Xiaomi AX3000T), IPQ807x, Raspberry Pi 4"},
	{"armv7", "arm", "GOARM=7", "arm-linux-gnueabihf", "arm", "IPQ40xx, IPQ806x, Armada 385"},
	{"armv5", "arm", "GOARM=5", "arm-linux-gnueabi", "arm", "Kirkwood, and every ARM without floating point"},
	{"386", "386", "GO386=sse2", "i686-linux-gnu", "i386", "old PCs"},
	{"riscv64", "riscv64", "GORISCV64=rva20u64", "riscv64-linux-gnu", "riscv64", "StarFive JH7110, D1"},
	{"mipsle", "mipsle", "GOMIPS=softfloat", "", "mipsel", "MT7621, MT7628"},
	{"mips", "mips", "GOMIPS=softfloat", "", "mips", "ath79 (QCA9531, QCA9558)"},
}

// standIn is not shipped: it is what MIPS gets, built for a machine on which
// its memory can be measured.
var standIn = machine{"386-go", "386", "GO386=sse2", "", "i386", "not shipped: its memory stands in for MIPS"}

func findMachine(name string) (machine, error) {
	var names []string
	for _, m := range machines {
		if m.name == name {
			return m, nil
		}
		names = append(names, m.name)
	}
	return machine{}, fmt.Errorf("%q is none of %s", name, strings.Join(names, ", "))
}

// translated reports whether SQLite is the one that was translated to Go.
func (m machine) translated() bool { return m.triple == "" }

// compiler is the C compiler: Debian's name, or the machine's own on a system
// that has no such names.
func (m machine) compiler() string {
	if m.goarch == runtime.GOARCH {
		return "gcc"
	}
	return m.triple + "-gcc"
}

// native reports whether this kernel runs the machine's programs itself.
func (m machine) native() bool {
	return m.goarch == runtime.GOARCH || m.goarch == "386" && runtime.GOARCH == "amd64"
}
