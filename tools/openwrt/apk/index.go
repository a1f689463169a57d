package apk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha512"
	"fmt"
	"slices"

	"github.com/hien-wifi/hien/tools/openwrt/deflate"
)

// Index writes packages.adb, what apk update fetches: all that the packages
// say of themselves, each with its size and the SHA-256 of its ADB block,
// signed by the feed's key.
func Index(description string, packages []Package, key *ecdsa.PrivateKey) ([]byte, error) {
	infos := make([]info, 0, len(packages))
	for _, p := range packages {
		infos = append(infos, p.info)
	}
	slices.SortFunc(infos, func(a, b info) int { return compare(a.name, b.name) })
	w := newADB()
	var values []value
	for i, in := range infos {
		if i > 0 && infos[i-1].name == in.name {
			return nil, fmt.Errorf("index %q: the package %s is there twice", description, in.name)
		}
		fields := in.fields(w)
		fields[piInstalledSize] = w.int(in.installed)
		fields[piFileSize] = w.int(in.size)
		fields[piHashes] = w.blob(in.hash)
		values = append(values, w.object(fields))
	}
	w.root(w.object(object{ndxDescription: w.text(description), ndxPackages: w.array(values)}))

	out := []byte("ADB." + schemaIndex)
	out = appendBlock(out, blockADB, w.data)
	signature, err := sign(key, schemaIndex, w.data)
	if err != nil {
		return nil, fmt.Errorf("sign index %q: %w", description, err)
	}
	return append([]byte("ADBd"), deflate.Compress(appendBlock(out, blockSig, signature), true)...), nil
}

// sign makes what a SIG block holds: the signature's version 0, the hash
// (4 is SHA-512), the key's id, and the key's signature of all these, the
// schema and the hash of the ADB block.
func sign(key *ecdsa.PrivateKey, schema string, block []byte) ([]byte, error) {
	id, err := KeyID(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	head := append([]byte{0, 4}, id...)
	// Without a source of chance the signature is RFC 6979's: the same index
	// is the same file.
	digest := signedDigest(schema, head, block)
	signature, err := key.Sign(nil, digest[:], crypto.SHA512)
	if err != nil {
		return nil, err
	}
	return append(head, signature...), nil
}

func signedDigest(schema string, head, block []byte) [sha512.Size]byte {
	sum := sha512.Sum512(block)
	message := append([]byte(schema), head...) // the schema's four letters are its little-endian word
	return sha512.Sum512(append(message, sum[:]...))
}

// KeyID is how a SIG block names its key: the first 16 bytes of the SHA-512
// of the public point, uncompressed.
func KeyID(key *ecdsa.PublicKey) ([]byte, error) {
	point, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("name signing key: %w", err)
	}
	sum := sha512.Sum512(point)
	return sum[:16], nil
}
