package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hien-wifi/hien"
)

// keygen makes the two secrets of a brand. The brand key goes into a file on
// the router; the private half of the seal key is printed and never written.
func keygen(_ context.Context, c *call) error {
	path := c.flags.String("brand-key-file", "/etc/hien/brand.key", "where the brand key is written; an existing one is kept")
	if err := c.parse(0); err != nil {
		return err
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
Put this line into section 'main' of /etc/config/hien:

    option seal_key '%s'

Keep this key away from every router. Whoever holds it can read the numbers
that your shops collect; without it nobody can, you included. It is shown once
and written nowhere:

    %s
`, seal, unseal.Reveal())
	return nil
}

// writeNewSecret writes a secret that make draws, readable by its owner only,
// unless the file exists already. It reports whether it did.
func writeNewSecret(path string, make func() string) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("make the folder of %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write secret: %w", err)
	}
	_, err = fmt.Fprintln(f, make())
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(path) // half a key would be taken for one
		return false, fmt.Errorf("write secret %s: %w", path, err)
	}
	return true, nil
}

// routerKey reads the router's own key, and makes it at the first start.
func routerKey(dataDir string) (hien.RouterKey, error) {
	path := filepath.Join(dataDir, "router.key")
	if _, err := writeNewSecret(path, func() string { return hien.NewRouterKey().Reveal() }); err != nil {
		return hien.RouterKey{}, err
	}
	return readRouterKey(dataDir)
}

func readRouterKey(dataDir string) (hien.RouterKey, error) {
	path := filepath.Join(dataDir, "router.key")
	text, err := os.ReadFile(path)
	if err != nil {
		return hien.RouterKey{}, fmt.Errorf("read the router's key: %w", err)
	}
	key, err := hien.ParseRouterKey(string(text))
	if err != nil {
		return hien.RouterKey{}, fmt.Errorf("%s: %w; put back the file of a backup", path, err)
	}
	return key, nil
}
