package adbdump

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"
)

// An Entry is a file, link or folder of a package, as it will be unpacked.
type Entry struct {
	Path        string // absolute
	Dir         bool
	Mode        uint64 // permission bits
	User, Group string
	Time        time.Time // zero for a folder
	Target      string    // of a symbolic link
	Content     []byte
}

// check holds the tree to what apk relies upon.
func (f *File) check() error {
	if f.Schema == "indx" {
		if len(f.Data) > 0 {
			return errors.New("an index has no DATA blocks")
		}
		return ascending("packages", f.Root.Get("packages").Nodes, func(n Node) string { return n.Get("name").Text() })
	}
	_, err := f.Entries()
	if err != nil {
		return err
	}
	info := f.Root.Get("info")
	for _, list := range []string{"depends", "provides", "replaces", "install-if", "recommends"} {
		if err := ascending(list, info.Get(list).Nodes, func(n Node) string { return n.Get("name").Text() }); err != nil {
			return err
		}
	}
	return f.checkID()
}

func ascending(what string, nodes []Node, key func(Node) string) error {
	for i := 1; i < len(nodes); i++ {
		if cmp.Compare(key(nodes[i-1]), key(nodes[i])) >= 0 {
			return fmt.Errorf("%s: %q comes after %q", what, key(nodes[i]), key(nodes[i-1]))
		}
	}
	return nil
}

// checkID finds the package's id where it stands, and computes it: the first
// 20 bytes of the SHA-256 of the block with zeros in its place.
func (f *File) checkID() error {
	id := f.Root.Get("info", "hashes")
	if len(id.Bytes) != 20 {
		return fmt.Errorf("the id has %d bytes, want 20", len(id.Bytes))
	}
	block, at := bytes.Clone(f.ADB), int(id.Tag&0x0fffffff)+1
	clear(block[at : at+20])
	if sum := sha256.Sum256(block); !bytes.Equal(sum[:20], id.Bytes) {
		return fmt.Errorf("the id is %x, want %x", id.Bytes, sum[:20])
	}
	return nil
}

// Entries are a package's folders and files in the order in which apk unpacks
// them. Each content is where it belongs, and has the hash and size that the
// description says.
func (f *File) Entries() ([]Entry, error) {
	var entries []Entry
	data := f.Data
	dirs := f.Root.Get("paths").Nodes
	if err := ascending("paths", dirs, func(n Node) string { return n.Get("name").Text() }); err != nil {
		return nil, err
	}
	for i, dir := range dirs {
		at := "/" + dir.Get("name").Text()
		if path.Clean(at) != at {
			return nil, fmt.Errorf("%q is no clean path", at)
		}
		e, err := entry(at, dir)
		if err != nil {
			return nil, err
		}
		e.Dir = true
		entries = append(entries, e)
		inside := dir.Get("files").Nodes
		if err := ascending(at, inside, func(n Node) string { return n.Get("name").Text() }); err != nil {
			return nil, err
		}
		for j, file := range inside {
			name := file.Get("name").Text()
			if name == "" || name == "." || name == ".." || bytes.ContainsAny([]byte(name), "/\x00") {
				return nil, fmt.Errorf("%s: %q is no file's name", at, name)
			}
			e, err := entry(path.Join(at, name), file)
			if err != nil {
				return nil, err
			}
			e.Time = time.Unix(int64(file.Get("mtime").Number), 0).UTC()
			size := file.Get("size").Number
			switch target := file.Get("target").Bytes; {
			case target != nil:
				if len(target) < 3 || target[0] != 0x00 || target[1] != 0xa0 { // S_IFLNK
					return nil, fmt.Errorf("%s: the target %x is no symbolic link's", e.Path, target)
				}
				e.Target = string(target[2:])
			case size > 0:
				if len(data) == 0 || data[0].Path != uint32(i+1) || data[0].File != uint32(j+1) {
					return nil, fmt.Errorf("%s: its content is not the next DATA block", e.Path)
				}
				e.Content, data = data[0].Content, data[1:]
				fallthrough
			default:
				sum := sha256.Sum256(e.Content)
				if uint64(len(e.Content)) != size || !bytes.Equal(file.Get("hashes").Bytes, sum[:]) {
					return nil, fmt.Errorf("%s: %d bytes with the hash %x, want %d with %x", e.Path, len(e.Content), sum, size, file.Get("hashes").Bytes)
				}
			}
			entries = append(entries, e)
		}
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%d DATA blocks belong to no file", len(data))
	}
	return entries, nil
}

func entry(at string, n Node) (Entry, error) {
	acl := n.Get("acl")
	e := Entry{Path: at, Mode: acl.Get("mode").Number, User: acl.Get("user").Text(), Group: acl.Get("group").Text()}
	if e.User == "" || e.Group == "" || e.Mode > 0o7777 {
		return Entry{}, fmt.Errorf("%s: mode %o, user %q and group %q", at, e.Mode, e.User, e.Group)
	}
	return e, nil
}

// Identity is the SHA-256 of the ADB block, which an index tells of each
// package.
func (f *File) Identity() []byte {
	sum := sha256.Sum256(f.ADB)
	return sum[:]
}

// Signed is the message that a SIG block's signature is of, the key's id, and
// the signature: over the schema, the block's first 18 bytes (version, hash
// and key's id) and the SHA-512 of the ADB block.
func (f *File) Signed(sig []byte) (message, id, signature []byte, err error) {
	if len(sig) < 18 || sig[0] != 0 || sig[1] != 4 {
		return nil, nil, nil, fmt.Errorf("the signature %x is not version 0 with SHA-512", sig)
	}
	sum := sha512.Sum512(f.ADB)
	return slices.Concat([]byte(f.Schema), sig[:18], sum[:]), sig[2:18], sig[18:], nil
}

// Verify finds the key's signature and verifies it.
func (f *File) Verify(key *ecdsa.PublicKey) error {
	point, err := key.Bytes()
	if err != nil {
		return err
	}
	name := sha512.Sum512(point)
	for _, sig := range f.Signatures {
		message, id, signature, err := f.Signed(sig)
		if err != nil {
			return err
		}
		if !bytes.Equal(id, name[:16]) {
			continue
		}
		if digest := sha512.Sum512(message); !ecdsa.VerifyASN1(key, digest[:], signature) {
			return errors.New("the signature is not this key's over this file")
		}
		return nil
	}
	return errors.New("it is not signed by this key")
}
