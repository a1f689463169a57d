package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"

	"github.com/hien-wifi/hien/tools/openwrt/deflate"
)

// What the program may weigh on arm64, in bytes.
const (
	mostDownload = 6_500_000 // of an .ipk, which is deflate
	mostFlash    = 4_800_000 // as xz
)

// A weight is what a program costs, in bytes.
type weight struct {
	program  int64
	download int64 // as deflate, made as the packager makes it
	flash    int64 // as xz
	loaded   int64 // that the kernel maps of the file: an upper limit, it reads what is used
	sum      [sha256.Size]byte
}

func weigh(ctx context.Context, path string) (weight, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return weight{}, err
	}
	w := weight{program: int64(len(b)), download: int64(len(deflate.Compress(b, true))), sum: sha256.Sum256(b)}
	if w.flash, err = xz(ctx, b); err != nil {
		return w, err
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return w, fmt.Errorf("read %s: %w", path, err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			w.loaded += int64(p.Filesz)
		}
	}
	return w, nil
}

// xz is how large b is as OpenWrt's squashfs would pack it in one piece:
// preset 9 extreme, CRC32, no filter for branches, which OpenWrt uses on 32-bit
// ARM, x86 and PowerPC only.
func xz(ctx context.Context, b []byte) (int64, error) {
	cmd := exec.CommandContext(ctx, "xz", "-9e", "--check=crc32", "--threads=1", "--stdout")
	cmd.Stdin = bytes.NewReader(b)
	packed, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("pack with xz: %w: `scripts/deps release` installs it", err)
	}
	return int64(len(packed)), nil
}
