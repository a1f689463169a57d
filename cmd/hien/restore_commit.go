package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/sqlite"
)

// A restore lies in a directory of its own in data_dir until it is whole. A
// file says so; from then on it is carried to its end, after a power cut by the
// next start. So no record is ever opened beside the brand key of another.
const (
	stageName   = ".restore"
	readyName   = "ready"
	stagedBrand = "brand.key"
)

// commit takes everything over. The configuration goes first: it says where
// the rest belongs.
func (r *restoring) commit() error {
	if r.takes {
		if err := putFile(r.c.config, r.b.Config); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	if r.b.BrandKey != nil {
		if err := putFile(filepath.Join(r.stage, stagedBrand), r.b.BrandKey); err != nil {
			return fmt.Errorf("write brand key: %w", err)
		}
	}
	if err := putFile(filepath.Join(r.stage, readyName), nil); err != nil {
		return fmt.Errorf("finish the restore: %w", err)
	}
	r.whole = true
	if err := finishRestore(r.cfg); err != nil {
		return fmt.Errorf("%w; it is whole, and carried to its end when Hiên starts or this is said again", err)
	}
	return nil
}

// putFile writes a file that is there whole or not at all, readable by its
// owner only.
func putFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return writeAside(path, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
}

// finishRestore carries a restore that is whole to its end, and clears one
// away that was cut off before: then the old record is in force.
func finishRestore(cfg *config.Config) error {
	dataDir := cfg.DataDir
	stage := filepath.Join(dataDir, stageName)
	if _, err := os.Stat(stage); err != nil {
		return unlessMissing(err)
	}
	_, err := os.Stat(filepath.Join(stage, readyName))
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(stage)
	}
	if err != nil {
		return fmt.Errorf("finish a restore: %w", err)
	}
	brand, err := os.ReadFile(filepath.Join(stage, stagedBrand))
	if there, thereErr := os.ReadFile(cfg.BrandKeyFile); err == nil && (thereErr != nil || !bytes.Equal(there, brand)) {
		err = putFile(cfg.BrandKeyFile, brand)
	}
	if unlessMissing(err) != nil { // putFile makes the directory: what is missing is a brand key in the backup
		return fmt.Errorf("finish a restore: write brand key, or say `hien restore` again as root: %w", err)
	}
	record := filepath.Join(dataDir, sqlite.FileName)
	if _, err := os.Stat(filepath.Join(stage, sqlite.FileName)); err == nil {
		for _, end := range []string{"-wal", "-shm", "-journal"} { // of the record that goes: they are no part of the other
			if err := unlessMissing(os.Remove(record + end)); err != nil {
				return fmt.Errorf("finish a restore: %w", err)
			}
		}
	}
	for _, name := range []string{sqlite.FileName, routerKeyName} {
		if err := unlessMissing(os.Rename(filepath.Join(stage, name), filepath.Join(dataDir, name))); err != nil {
			return fmt.Errorf("finish a restore: %w", err)
		}
	}
	if err := errors.Join(syncDir(dataDir), os.RemoveAll(stage), syncDir(dataDir)); err != nil {
		return fmt.Errorf("finish a restore: %w", err)
	}
	return nil
}
