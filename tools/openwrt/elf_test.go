package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"
)

// An elfFile is as little of a program as debug/elf reads.
type elfFile struct {
	machine elf.Machine
	data    elf.Data
	bits    int
	flags   uint32
	interp  bool
	fpABI   int // in .MIPS.abiflags; none where it is negative
}

func (e elfFile) bytes() []byte {
	var order binary.ByteOrder = binary.LittleEndian
	if e.data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	class := elf.ELFCLASS32
	if e.bits == 64 {
		class = elf.ELFCLASS64
	}
	var ident [16]byte
	copy(ident[:], []byte{0x7f, 'E', 'L', 'F', byte(class), byte(e.data), 1})
	names := "\x00.shstrtab\x00.MIPS.abiflags\x00"
	abi := make([]byte, 24)
	if e.fpABI >= 0 {
		abi[7] = byte(e.fpABI)
	}
	var out bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&out, order, v); err != nil {
			panic(err)
		}
	}
	progs, sections := uint16(0), uint16(2)
	if e.interp {
		progs = 1
	}
	if e.fpABI >= 0 {
		sections = 3
	}
	if e.bits == 64 {
		body := uint64(64 + 56*int(progs))
		put(elf.Header64{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(e.machine), Version: 1, Phoff: 64, Flags: e.flags,
			Ehsize: 64, Phentsize: 56, Phnum: progs, Shoff: body + uint64(len(names)+len(abi)), Shentsize: 64, Shnum: sections, Shstrndx: 1})
		for range progs {
			put(elf.Prog64{Type: uint32(elf.PT_INTERP)})
		}
		out.WriteString(names)
		out.Write(abi)
		put(elf.Section64{})
		put(elf.Section64{Name: 1, Type: uint32(elf.SHT_STRTAB), Off: body, Size: uint64(len(names))})
		if e.fpABI >= 0 {
			put(elf.Section64{Name: 11, Type: uint32(elf.SHT_PROGBITS), Off: body + uint64(len(names)), Size: 24})
		}
		return out.Bytes()
	}
	body := uint32(52 + 32*int(progs))
	put(elf.Header32{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(e.machine), Version: 1, Phoff: 52, Flags: e.flags,
		Ehsize: 52, Phentsize: 32, Phnum: progs, Shoff: body + uint32(len(names)+len(abi)), Shentsize: 40, Shnum: sections, Shstrndx: 1})
	for range progs {
		put(elf.Prog32{Type: uint32(elf.PT_INTERP)})
	}
	out.WriteString(names)
	out.Write(abi)
	put(elf.Section32{})
	put(elf.Section32{Name: 1, Type: uint32(elf.SHT_STRTAB), Off: body, Size: uint32(len(names))})
	if e.fpABI >= 0 {
		put(elf.Section32{Name: 11, Type: uint32(elf.SHT_PROGBITS), Off: body + uint32(len(names)), Size: 24})
	}
	return out.Bytes()
}

// programs run on each machine.
var programs = map[string]elfFile{
	"amd64":   {elf.EM_X86_64, elf.ELFDATA2LSB, 64, 0, false, -1},
	"arm64":   {elf.EM_AARCH64, elf.ELFDATA2LSB, 64, 0, false, -1},
	"armv7":   {elf.EM_ARM, elf.ELFDATA2LSB, 32, 0x5000400, false, -1},
	"armv5":   {elf.EM_ARM, elf.ELFDATA2LSB, 32, 0x5000200, false, -1},
	"386":     {elf.EM_386, elf.ELFDATA2LSB, 32, 0, false, -1},
	"riscv64": {elf.EM_RISCV, elf.ELFDATA2LSB, 64, 4, false, -1},
	"mipsle":  {elf.EM_MIPS, elf.ELFDATA2LSB, 32, 0x50001004, false, 3},
	"mips":    {elf.EM_MIPS, elf.ELFDATA2MSB, 32, 0x50001004, false, 3},
}

func TestMachineTakesOnlyWhatRunsOnIt(t *testing.T) {
	for _, m := range machines {
		for name, p := range programs {
			err := m.check(p.bytes())
			// What is soft-float runs where floating point is, too.
			fits := name == m.name || m.name == "armv7" && name == "armv5"
			if fits != (err == nil) {
				t.Errorf("%s with the program for %s: %v", m.name, name, err)
			}
		}
	}
	change := func(name string, f func(*elfFile)) []byte {
		p := programs[name]
		f(&p)
		return p.bytes()
	}
	for _, c := range []struct {
		name, machine string
		program       []byte
		want          string
	}{
		{"a script", "amd64", []byte("#!/bin/sh\n"), "read program"},
		{"a dynamic program", "amd64", change("amd64", func(p *elfFile) { p.interp = true }), "not static"},
		{"a dynamic program of 32 bits", "armv7", change("armv7", func(p *elfFile) { p.interp = true }), "not static"},
		{"hard float for ARMv5", "armv5", programs["armv7"].bytes(), "floating point"},
		{"hard float for MIPS", "mipsle", change("mipsle", func(p *elfFile) { p.fpABI = 1 }), "floating point"},
		{"MIPS that does not say", "mips", change("mips", func(p *elfFile) { p.fpABI = -1 }), "floating point"},
		{"the other byte order", "mips", programs["mipsle"].bytes(), "want EM_MIPS"},
	} {
		m, err := findMachine(c.machine)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.check(c.program); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func TestFindMachine(t *testing.T) {
	m, err := findMachine("arm_cortex-a9")
	if err != nil || m.name != "armv5" || m.deb != "" || len(m.opkg) != 1 || m.opkg[0] != "arm_cortex-a9" || len(m.apk) != 1 {
		t.Errorf("an architecture of OpenWrt's: got %+v and %v, want armv5's for it alone", m, err)
	}
	if m, err = findMachine("riscv64_riscv64"); err != nil || len(m.apk) != 0 {
		t.Errorf("one that opkg alone knows: got %+v and %v, want no apk", m, err)
	}
	if _, err = findMachine("z80"); err == nil || !strings.Contains(err.Error(), "amd64, arm64") {
		t.Errorf("z80: got %v, want an error that names the machines", err)
	}
}
