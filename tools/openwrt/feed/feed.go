// Package feed writes what a router's package manager fetches first: the
// index of a folder of packages, signed.
package feed

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hien-wifi/hien/tools/openwrt/deflate"
	"github.com/hien-wifi/hien/tools/openwrt/ipk"
	"github.com/hien-wifi/hien/tools/openwrt/usign"
)

// Opkg is opkg's index: each file's name and content.
//
//	Packages       each package's fields, with its file's name, size and
//	               SHA-256 before the description (ipkg-make-index.sh)
//	Packages.gz    the same; what opkg fetches
//	Packages.sig   usign's signature over Packages
func Opkg(packages []ipk.Package, key usign.Key) (map[string][]byte, error) {
	packages = slices.SortedFunc(slices.Values(packages), func(a, b ipk.Package) int { return strings.Compare(a.Filename, b.Filename) })
	var index bytes.Buffer
	for i, p := range packages {
		if i > 0 && packages[i-1].Filename == p.Filename {
			return nil, fmt.Errorf("index: %s is there twice", p.Filename)
		}
		fields, description, found := strings.Cut(p.Control, "\nDescription:")
		if !found {
			return nil, fmt.Errorf("index: %s has no description", p.Filename)
		}
		fmt.Fprintf(&index, "%s\nFilename: %s\nSize: %d\nSHA256sum: %x\nDescription:%s\n",
			fields, p.Filename, len(p.Bytes), sha256.Sum256(p.Bytes), description)
	}
	return map[string][]byte{
		"Packages":     index.Bytes(),
		"Packages.gz":  new(deflate.Compressor).Gzip(index.Bytes()),
		"Packages.sig": key.Sign(index.Bytes()),
	}, nil
}

// NewApkKey makes a key for apk's index: EC on prime256v1, as OpenWrt's are.
func NewApkKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	return key, nil
}

// ApkKeySecret is the key's file, as openssl ecparam -genkey writes it.
func ApkKeySecret(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write signing key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// ApkKeyPublic is the public key's file, for /etc/apk/keys.
func ApkKeyPublic(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("write public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// ParseApkKey reads a private key of openssl's making: EC PRIVATE KEY, or
// PRIVATE KEY. Parameters before it are passed over.
func ParseApkKey(file []byte) (*ecdsa.PrivateKey, error) {
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		default:
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read signing key: %w", err)
		}
		if key, ok := key.(*ecdsa.PrivateKey); ok && key.Curve == elliptic.P256() {
			return key, nil
		}
		return nil, errors.New("read signing key: it is not EC on prime256v1")
	}
	return nil, errors.New("read signing key: there is no private key in PEM")
}
