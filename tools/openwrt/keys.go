package main

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hien-wifi/hien/tools/openwrt/feed"
	"github.com/hien-wifi/hien/tools/openwrt/usign"
)

// keys sign the feeds.
type keys struct {
	opkg usign.Key
	apk  *ecdsa.PrivateKey
}

// loadKeys reads the keys that were given, or makes some for development,
// which are used again while they are there. The public ones are written as a
// router wants them:
//
//	keys/opkg/FINGERPRINT    for /etc/opkg/keys
//	keys/apk/hien.pem        for /etc/apk/keys
func (j job) loadKeys(log io.Writer) (keys, error) {
	dir := filepath.Join(j.out, "keys")
	var k keys
	secret, err := j.secret(j.opkgKey, filepath.Join(dir, "development"), "opkg.sec", log, func() ([]byte, error) {
		key, err := usign.NewKey()
		return key.Secret(), err
	})
	if err != nil {
		return keys{}, err
	}
	if k.opkg, err = usign.ParseSecret(secret); err != nil {
		return keys{}, fmt.Errorf("opkg's feed: %w", err)
	}
	secret, err = j.secret(j.apkKey, filepath.Join(dir, "development"), "apk.pem", log, func() ([]byte, error) {
		key, err := feed.NewApkKey()
		if err != nil {
			return nil, err
		}
		return feed.ApkKeySecret(key)
	})
	if err != nil {
		return keys{}, err
	}
	if k.apk, err = feed.ParseApkKey(secret); err != nil {
		return keys{}, fmt.Errorf("apk's feed: %w", err)
	}
	public, err := feed.ApkKeyPublic(k.apk)
	if err != nil {
		return keys{}, err
	}
	for _, kind := range []string{"opkg", "apk"} {
		if err := os.RemoveAll(filepath.Join(dir, kind)); err != nil {
			return keys{}, fmt.Errorf("clear what was there: %w", err)
		}
	}
	return k, errors.Join(
		write(filepath.Join(dir, "opkg"), k.opkg.Fingerprint(), k.opkg.Public(), 0o644),
		write(filepath.Join(dir, "apk"), "hien.pem", public, 0o644),
	)
}

// secret reads a key's file, the given one or that for development, which is
// made where there is none.
func (j job) secret(given, dir, name string, log io.Writer, make func() ([]byte, error)) ([]byte, error) {
	if given != "" {
		b, err := os.ReadFile(given)
		if err != nil {
			return nil, fmt.Errorf("read signing key: %w", err)
		}
		return b, nil
	}
	file := filepath.Join(dir, name)
	fmt.Fprintf(log, "openwrt: WARNING: signed by a development key, %s: whoever has this folder can sign too. For others to install, give a key by -opkg-key and -apk-key\n", file)
	b, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = make(); err != nil {
		return nil, err
	}
	return b, write(dir, name, b, 0o600)
}
