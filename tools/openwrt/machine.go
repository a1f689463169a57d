package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// A machine is what one binary runs on: an architecture of Debian's, and those
// of OpenWrt's, which tells more of them apart.
type machine struct {
	name string // as releases are called
	elf  elf.Machine
	data elf.Data
	soft bool // it has no floating point
	deb  string
	opkg []string // up to 24.10
	apk  []string // from 25.12 on
}

// The names are OpenWrt's arch_packages of each target, as its profiles.json
// has it. Its Cortex-A9 without a suffix is the one without floating point
// (bcm53xx), so it gets what ARMv5 gets; the one with vfpv3-d16 (mvebu) has just
// what the program for ARMv7 asks for, 16 registers and no NEON. riscv64 was
// renamed.
var machines = []machine{
	{"amd64", elf.EM_X86_64, elf.ELFDATA2LSB, false, "amd64", []string{"x86_64"}, []string{"x86_64"}},
	{"arm64", elf.EM_AARCH64, elf.ELFDATA2LSB, false, "arm64", []string{"aarch64_cortex-a53", "aarch64_cortex-a72", "aarch64_generic"}, []string{"aarch64_cortex-a53", "aarch64_cortex-a72", "aarch64_generic"}},
	{"armv7", elf.EM_ARM, elf.ELFDATA2LSB, false, "armhf", []string{"arm_cortex-a15_neon-vfpv4", "arm_cortex-a7_neon-vfpv4", "arm_cortex-a9_vfpv3-d16"}, []string{"arm_cortex-a15_neon-vfpv4", "arm_cortex-a7_neon-vfpv4", "arm_cortex-a9_vfpv3-d16"}},
	{"armv5", elf.EM_ARM, elf.ELFDATA2LSB, true, "armel", []string{"arm_arm926ej-s", "arm_cortex-a9", "arm_xscale"}, []string{"arm_arm926ej-s", "arm_cortex-a9", "arm_xscale"}},
	{"386", elf.EM_386, elf.ELFDATA2LSB, false, "i386", []string{"i386_pentium4"}, []string{"i386_pentium4"}},
	{"riscv64", elf.EM_RISCV, elf.ELFDATA2LSB, false, "riscv64", []string{"riscv64_generic", "riscv64_riscv64"}, []string{"riscv64_generic"}},
	{"mipsle", elf.EM_MIPS, elf.ELFDATA2LSB, true, "", []string{"mipsel_24kc"}, []string{"mipsel_24kc"}},
	{"mips", elf.EM_MIPS, elf.ELFDATA2MSB, true, "", []string{"mips_24kc"}, []string{"mips_24kc"}},
}

// findMachine takes a machine's name, or OpenWrt's name of one of its
// architectures, which then is the only one that is made.
func findMachine(name string) (machine, error) {
	var names []string
	for _, m := range machines {
		if m.name == name {
			return m, nil
		}
		names = append(names, m.name)
		only := func(archs []string) []string {
			for _, a := range archs {
				if a == name {
					return []string{a}
				}
			}
			return nil
		}
		if opkg, apk := only(m.opkg), only(m.apk); opkg != nil || apk != nil {
			m.opkg, m.apk, m.deb = opkg, apk, ""
			return m, nil
		}
	}
	return machine{}, fmt.Errorf("%q is none of %s, nor an architecture of OpenWrt's that they stand for", name, strings.Join(names, ", "))
}

// check refuses a program that would not run on this machine.
func (m machine) check(program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return fmt.Errorf("read program: %w", err)
	}
	if f.Machine != m.elf || f.Data != m.data {
		return fmt.Errorf("the program is for %v (%v), want %v (%v)", f.Machine, f.Data, m.elf, m.data)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("the program is not static: it asks for a loader that the router does not have")
		}
	}
	if m.soft && !softFloat(f, program) {
		return errors.New("the program uses floating point of the processor, which this one has not")
	}
	return nil
}

// softFloat reads what the program says of itself: on ARM in the header's
// flags (ELF for the Arm architecture, 5.3.1), on MIPS in its ABI flags
// (MIPS O32 FR/FRE ABI extension).
func softFloat(f *elf.File, program []byte) bool {
	switch f.Machine {
	case elf.EM_ARM:
		const flagsAt, hard = 36, 0x400
		return binary.LittleEndian.Uint32(program[flagsAt:])&hard == 0
	case elf.EM_MIPS:
		const fpAt, soft = 7, 3
		s := f.Section(".MIPS.abiflags")
		if s == nil {
			return false
		}
		b, err := s.Data()
		return err == nil && len(b) > fpAt && b[fpAt] == soft
	}
	return true
}
