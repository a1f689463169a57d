// Package adbdump reads what apk-tools 3 reads: packages and indexes. It is
// written from apk-tools' description of the format alone and shares nothing
// with the writer, so that each finds the other's mistakes.
//
// It is stricter than apk: each byte must belong to something, what must be
// sorted is sorted, and the contents come in the order in which apk unpacks
// them.
package adbdump

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
)

// A File is a package or an index.
type File struct {
	Compression string // "none", "deflate"
	Inflated    int    // bytes
	Schema      string // "pckg" or "indx"
	ADB         []byte
	Root        Node
	Signatures  [][]byte
	Data        []Data
}

// Data is a DATA block: the content of a file, and the numbers of its folder
// and of the file in it, from 1.
type Data struct {
	Path, File uint32
	Content    []byte
}

// Most that is read of one file, for one who is given a stranger's.
const (
	maxInflated = 256 << 20
	maxNodes    = 1 << 18
	maxText     = 16 << 20 // bytes in blobs, each as often as it is referred to
)

// Read reads a whole file.
func Read(b []byte) (*File, error) {
	f := &File{Compression: "none"}
	switch {
	case bytes.HasPrefix(b, []byte("ADB.")):
	case bytes.HasPrefix(b, []byte("ADBd")):
		f.Compression = "deflate"
		packed := bytes.NewReader(b[4:])
		plain, err := io.ReadAll(io.LimitReader(flate.NewReader(packed), maxInflated+1))
		if err != nil {
			return nil, fmt.Errorf("inflate: %w", err)
		}
		if len(plain) > maxInflated {
			return nil, fmt.Errorf("it is more than %d bytes when inflated", maxInflated)
		}
		if packed.Len() > 0 {
			return nil, fmt.Errorf("%d bytes follow the compressed stream", packed.Len())
		}
		b = plain
	default:
		return nil, errors.New("it does not begin with ADB. or ADBd")
	}
	f.Inflated = len(b)
	if len(b) < 8 || string(b[:4]) != "ADB." {
		return nil, errors.New("the header ADB. and a schema are missing")
	}
	f.Schema = string(b[4:8])
	if roots[f.Schema] == nil {
		return nil, fmt.Errorf("the schema %q is neither pckg nor indx", f.Schema)
	}
	if err := f.readBlocks(b[8:]); err != nil {
		return nil, err
	}
	d := decoder{adb: f.ADB, used: make([]bool, len(f.ADB)), seen: map[[2]int]bool{}}
	root, err := d.root(roots[f.Schema])
	if err != nil {
		return nil, err
	}
	f.Root = root
	return f, f.check()
}

func word(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func (f *File) readBlocks(b []byte) error {
	const adb, sig, data = 0, 1, 2
	for first := true; len(b) > 0; first = false {
		if len(b) < 4 {
			return errors.New("a block is cut off")
		}
		kind, size := word(b)>>30, int(word(b)&0x3fffffff)
		padded := (size + 7) / 8 * 8
		if size < 4 || padded > len(b) {
			return fmt.Errorf("a block of kind %d says it has %d bytes, there are %d", kind, size, len(b))
		}
		if !zero(b[size:padded]) {
			return fmt.Errorf("a block of kind %d is not filled up with zeros", kind)
		}
		inside := b[4:size]
		switch {
		case first != (kind == adb):
			return errors.New("there must be one ADB block, and it must be the first")
		case kind == adb:
			f.ADB = inside
		case kind == sig && len(f.Data) == 0:
			f.Signatures = append(f.Signatures, inside)
		case kind == data && len(inside) >= 8:
			f.Data = append(f.Data, Data{Path: word(inside), File: word(inside[4:]), Content: inside[8:]})
		default:
			return fmt.Errorf("a block of kind %d with %d bytes has no place there", kind, len(inside))
		}
		b = b[padded:]
	}
	if f.ADB == nil {
		return errors.New("there is no ADB block")
	}
	return nil
}

func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
