package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/internal/uci"
)

// brandKeyFile is where the brand key is unless the configuration says
// otherwise; the same as option brand_key_file has by default.
const brandKeyFile = "/etc/hien/brand.key"

// keygen makes the two secrets of a brand. The brand key goes into a file on
// the router; the private half of the seal key is printed and never written.
func keygen(_ context.Context, c *call) error {
	path := c.flags.String("brand-key-file", "",
		"the `FILE` for the brand key (default: option brand_key_file of the\n        configuration, else "+brandKeyFile+")")
	if err := c.parse(0); err != nil {
		return err
	}
	if *path == "" {
		var err error
		if *path, err = configuredKeyFile(c.config); err != nil {
			return fmt.Errorf("%w\nwithout the configuration, say --brand-key-file where the brand key goes", err)
		}
	}
	made, err := writeNewSecret(*path, func() string { return hien.NewBrandKey(1).Reveal() })
	if err != nil {
		return err
	}
	seal, unseal, err := hien.NewSealKey()
	if err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(c.out).Encode(map[string]any{
			"brand_key_file": *path, "brand_key_made": made, "seal_key": seal.String(), "unseal_key": unseal.Reveal(),
		})
	}
	if made {
		fmt.Fprintf(c.out, "The brand key was written to %s.\nEvery shop of the brand uses the same one: copy the file, and keep a copy safe.\n", *path)
	} else {
		fmt.Fprintf(c.out, "The brand key in %s was kept as it is.\n", *path)
	}
	fmt.Fprintf(c.out, `
Put this line into section 'main' of %s:

    option seal_key '%s'

Keep this key away from every router. Whoever holds it can read the numbers
that your shops collect; without it nobody can, you included. It is shown once
and written nowhere:

    %s
`, c.config, seal, unseal.Reveal())
	return nil
}

// configuredKeyFile is where the configuration wants the brand key. The
// configuration need not be whole: it may lack the very keys that are being
// made. Where there is none the usual place is meant.
func configuredKeyFile(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return brandKeyFile, nil
	}
	if err != nil {
		return "", fmt.Errorf("open configuration: %w", err)
	}
	defer f.Close()
	parsed, err := uci.Parse(path, f)
	if err != nil {
		return "", err
	}
	file := brandKeyFile
	for _, s := range parsed.Sections {
		for _, o := range s.Options {
			if s.Type.Text == "hien" && o.Name.Text == "brand_key_file" && o.Value.Text != "" {
				file = o.Value.Text
			}
		}
	}
	if !filepath.IsAbs(file) {
		return "", fmt.Errorf("%s: option brand_key_file %q: want an absolute path", path, file)
	}
	return file, nil
}

// writeNewSecret writes a secret that make draws, readable by its owner only,
// unless the file holds one already. It reports whether it did. A kill or a
// power cut at any moment leaves the whole secret or none; an empty file,
// which a crash of another program may have left, counts as none.
func writeNewSecret(path string, make func() string) (made bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make the folder of %s: %w", path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return false, fmt.Errorf("write secret: %w", err)
	}
	defer dir.Close() // and lets go of the lock
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return false, fmt.Errorf("lock the folder of %s: %w", path, err)
	}
	fresh := path + ".new"
	rest := unlessMissing(os.Remove(fresh)) // of one that was killed
	had, err := holdsSecret(path)
	if had || err != nil {
		return false, err
	}
	err = errors.Join(rest,
		writeWhole(fresh, make()+"\n"),
		unlessMissing(os.Remove(path))) // an empty one
	if err == nil {
		err = os.Link(fresh, path) // which never replaces
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) {
			err = os.Rename(fresh, path) // a file system without links, as on USB sticks
		}
	}
	err = errors.Join(err, unlessMissing(os.Remove(fresh)), dir.Sync())
	if errors.Is(err, fs.ErrExist) {
		return false, nil // somebody has put one there just now
	}
	if err != nil {
		return false, fmt.Errorf("write secret: %w", err)
	}
	return true, nil
}

// holdsSecret reports whether there is anything in the file.
func holdsSecret(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, unlessMissing(err)
	}
	return info.Size() > 0, nil
}

// writeWhole makes a file, readable by its owner only, and has it on the disk
// when it returns.
func writeWhole(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

const routerKeyName = "router.key"

// routerKey reads the router's own key, and makes it at the first start. With
// a record and no key it makes none: the record's ledger was signed by
// another, and would no longer hold.
func routerKey(dataDir string) (hien.RouterKey, error) {
	path, record := filepath.Join(dataDir, routerKeyName), filepath.Join(dataDir, sqlite.FileName)
	had, err := holdsSecret(path)
	var begun bool
	if err == nil && !had {
		begun, err = holdsSecret(record)
	}
	switch {
	case err != nil:
		return hien.RouterKey{}, fmt.Errorf("look for the router's key: %w", err)
	case begun:
		return hien.RouterKey{}, fmt.Errorf("there is no router key at %s, and the record beside it was signed with one: put back %s from a backup, or move %s away (with %[3]s-wal, if there is one) to begin anew",
			path, routerKeyName, sqlite.FileName)
	}
	if _, err := writeNewSecret(path, func() string { return hien.NewRouterKey().Reveal() }); err != nil {
		return hien.RouterKey{}, err
	}
	return readRouterKey(dataDir)
}

func readRouterKey(dataDir string) (hien.RouterKey, error) {
	path := filepath.Join(dataDir, routerKeyName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return hien.RouterKey{}, fmt.Errorf("there is no %s, which `hien run` makes at its first start: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return hien.RouterKey{}, fmt.Errorf("read the router's key: %w", err)
	}
	key, err := hien.ParseRouterKey(string(text))
	if err != nil {
		return hien.RouterKey{}, fmt.Errorf("%s: %w; put back the file of a backup", path, err)
	}
	return key, nil
}
