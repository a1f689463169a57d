package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/term"

	"github.com/hien-wifi/hien"
)

// The files of keys.
const (
	brandFile     = "brand.key"
	unsealFile    = "unseal.key"
	accessLogFile = "access-log-unseal.key"
)

// maxKeyFile is the largest file that is read as one of keys, in bytes.
const maxKeyFile = 4 << 10

// askTerminal asks for a secret at the terminal, without an echo: standard
// input may hold the rows.
func askTerminal(prompt string) (string, error) {
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	tty, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return "", errors.New("there is no terminal at which to ask for it")
	}
	defer tty.Close()
	fmt.Fprint(os.Stderr, prompt)
	text, err := term.ReadPassword(int(tty.Fd()))
	fmt.Fprintln(os.Stderr)
	return string(text), err
}

// secret reads a secret from the file that a flag names, or asks for it.
func (c *call) secret(flag, file, what string) (string, error) {
	if file == "" {
		text, err := c.ask("Type or paste the " + what + " (it is not shown): ")
		if err != nil {
			return "", fmt.Errorf("no %s: %w; name its file with --%s", what, err, flag)
		}
		return text, nil
	}
	_, notUnseal := hien.ParseUnsealKey(file)
	_, notBrand := hien.ParseBrandKey(file)
	if notUnseal == nil || notBrand == nil {
		return "", fmt.Errorf("--%s wants a file, and got a key: command lines can be read by others, so change that key (docs/keys.md)", flag)
	}
	text, err := readSmall(file)
	if err != nil {
		return "", fmt.Errorf("read the %s: %w", what, err)
	}
	if info, err := os.Stat(file); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(c.err, "warning: others may read %s (mode %04o): run `chmod 600 %[1]s`\n", file, info.Mode().Perm())
	}
	return text, nil
}

func readSmall(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(text) > maxKeyFile {
		err = fmt.Errorf("%s is larger than %d bytes, and no file of keys", file, maxKeyFile)
	}
	return string(text), err
}

func (c *call) unsealKey(file string) (hien.UnsealKey, error) {
	text, err := c.secret("key", file, "unseal key")
	if err != nil {
		return hien.UnsealKey{}, err
	}
	return hien.ParseUnsealKey(text)
}

func (c *call) brandKeys(file string) (hien.BrandKeys, error) {
	text, err := c.secret("brand-key", file, "brand key")
	if err != nil {
		return hien.BrandKeys{}, err
	}
	return hien.ParseBrandKeys(text)
}

// keygen makes what of a brand's keys is not there yet.
func keygen(c *call) error {
	dir := c.flags.String("dir", ".", "the `FOLDER` in which the keys are, or will be")
	paper := c.flags.String("paper", "", "write a `FILE` in HTML to be printed, with the keys")
	next := c.flags.Bool("next", false, "put a new brand key in front of the one in the file")
	accessLog := c.flags.Bool("access-log", false, "make the key pair of the access log, and nothing else")
	if err := c.parse(0); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the keys: %w", err)
	}
	var sheets []sheet
	if *accessLog {
		if *next {
			return c.misused("--next is for the brand key, which is not touched with --access-log")
		}
		unseal, err := c.keepPair(filepath.Join(*dir, accessLogFile))
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "\nPut this line into section 'main' of /etc/config/hien:\n\n    option access_log_key '%s'\n", unseal.SealKey())
		sheets = []sheet{accessLogSheet(unseal)}
	} else {
		brand, err := c.keepBrand(filepath.Join(*dir, brandFile), *next)
		if err != nil {
			return err
		}
		unseal, err := c.keepPair(filepath.Join(*dir, unsealFile))
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "\nPut this line into section 'main' of /etc/config/hien, and copy %s to\n/etc/hien/brand.key of the brand's router, mode 0600:\n\n    option seal_key '%s'\n", brandFile, unseal.SealKey())
		sheets = []sheet{brandSheet(brand), unsealSheet(unseal)}
	}
	if *paper != "" {
		if err := c.writePaper(*paper, sheets); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(c.out, "\nKeep a copy of each key: --paper FILE makes a page to be printed.")
	}
	fmt.Fprintln(c.out, "The unseal key goes onto no router. Whoever holds it can read what routers have\nsealed; without it nobody can, you included.")
	return nil
}

// keepBrand reads the brand's keys, or makes the first; with next it puts
// another in front.
func (c *call) keepBrand(file string, next bool) (hien.BrandKeys, error) {
	text, err := readSmall(file)
	if errors.Is(err, fs.ErrNotExist) {
		if next {
			return hien.BrandKeys{}, fmt.Errorf("there is no %s for which a next key could be made: run keygen without --next", file)
		}
		keys, err := hien.NewBrandKeys(hien.NewBrandKey(1))
		if err == nil {
			err = writeNew(file, keys.Reveal()+"\n")
		}
		if err != nil {
			return hien.BrandKeys{}, fmt.Errorf("write the brand key: %w", err)
		}
		c.sayKey("The brand key k1 was written to", file, keys.Current().Print())
		return keys, nil
	}
	if err != nil {
		return hien.BrandKeys{}, fmt.Errorf("read the brand key: %w", err)
	}
	keys, err := hien.ParseBrandKeys(text)
	if err != nil {
		return hien.BrandKeys{}, fmt.Errorf("%s: %w", file, err)
	}
	if !next {
		c.sayKey(fmt.Sprintf("The brand key k%d was kept as it is in", keys.Current().Version()), file, keys.Current().Print())
		return keys, nil
	}
	if keys, err = keys.Next(); err != nil {
		return hien.BrandKeys{}, fmt.Errorf("%s: %w", file, err)
	}
	fresh := file + ".new"
	if err := errors.Join(writeNew(fresh, keys.Reveal()+"\n"), os.Rename(fresh, file)); err != nil {
		return hien.BrandKeys{}, fmt.Errorf("write the brand key: %w", err)
	}
	c.sayKey(fmt.Sprintf("The brand key k%d stands in front of k%d in", keys.Current().Version(), keys.Previous()[0].Version()), file, keys.Current().Print())
	fmt.Fprintln(c.out, "Copy the file to every router of the brand. When nobody is known by the old key\nany more (hien status says so), take its line out.")
	return keys, nil
}

// keepPair reads an unseal key, or makes one.
func (c *call) keepPair(file string) (hien.UnsealKey, error) {
	text, err := readSmall(file)
	if errors.Is(err, fs.ErrNotExist) {
		_, unseal, err := hien.NewSealKey()
		if err == nil {
			err = writeNew(file, unseal.Reveal()+"\n")
		}
		if err != nil {
			return hien.UnsealKey{}, fmt.Errorf("write the unseal key: %w", err)
		}
		c.sayKey("The unseal key was written to", file, unseal.SealKey().Print())
		return unseal, nil
	}
	if err != nil {
		return hien.UnsealKey{}, fmt.Errorf("read the unseal key: %w", err)
	}
	unseal, err := hien.ParseUnsealKey(text)
	if err != nil {
		return hien.UnsealKey{}, fmt.Errorf("%s: %w", file, err)
	}
	c.sayKey("The unseal key was kept as it is in", file, unseal.SealKey().Print())
	return unseal, nil
}

func (c *call) sayKey(what, file, print string) {
	fmt.Fprintf(c.out, "%s %s (print %s).\n", what, file, print)
}

// writeNew makes a file that only its owner can read, whole or not at all; it
// never replaces one.
func writeNew(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}

// checkKeys is `hien-unseal check`: which keys are in which file.
func checkKeys(c *call) error {
	if err := c.parse(-1); err != nil {
		return err
	}
	if len(c.words) == 0 {
		return c.misused("which files?")
	}
	var bad error
	for _, file := range c.words {
		text, err := readSmall(file)
		if err == nil {
			err = c.checkFile(file, text)
		}
		if err != nil {
			bad = errors.Join(bad, fmt.Errorf("%s: %w", file, err))
		}
	}
	return bad
}

func (c *call) checkFile(file, text string) error {
	if unseal, err := hien.ParseUnsealKey(text); err == nil {
		fmt.Fprintf(c.out, "%s: unseal key, print %s\n    of the routers' seal key %s\n", file, unseal.SealKey().Print(), unseal.SealKey())
		return nil
	}
	keys, err := hien.ParseBrandKeys(text)
	if err != nil {
		return errors.New("neither an unseal key nor a brand key: compare it with the paper, sign by sign")
	}
	fmt.Fprintf(c.out, "%s: brand key k%d, print %s\n", file, keys.Current().Version(), keys.Current().Print())
	for _, k := range keys.Previous() {
		fmt.Fprintf(c.out, "    behind it k%d, print %s\n", k.Version(), k.Print())
	}
	return nil
}
