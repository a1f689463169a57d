package setup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// DefaultState is where a setup keeps the files as they were. It is on flash,
// so that they outlive a power cut, and root's alone: it holds the passwords
// of the shop's WiFi, and what is put back from it root obeys.
const DefaultState = "/etc/hien-setup"

// A Place is the files that a setup changes, and where it keeps those that
// were before.
type Place struct {
	Config string // the directory of the router's files, /etc/config
	Hien   string // the file of Hiên's own configuration
	State  string
}

func (p Place) path(file string) string {
	if file == hienFile {
		return p.Hien
	}
	return filepath.Join(p.Config, file)
}

// What is in State. pending is there from before the first change until the
// owner has confirmed; returning, while everything is put back. One becomes
// the other, or kept, by a rename, so that a confirmation and a return at the
// same moment cannot both succeed.
const (
	pendingName   = "pending.json"
	returningName = "returning.json"
	keptName      = "kept.json"
	askedName     = "asked"    // the owner is being asked: his time runs
	beforeName    = "before"   // a directory of copies
	originalName  = "original" // Hiên's own file before the first setup
	noneName      = "original-none"
	oneName       = "one.lock"
	watchedName   = "watched.lock"
	backName      = "back.lock"
)

// A record says what a setup has changed.
type record struct {
	ID    string   `json:"id"`   // no other has it
	Boot  string   `json:"boot"` // as the kernel calls the run of the machine in which it was
	Files []change `json:"files"`
	Ours  string   `json:"ours,omitempty"` // SHA-256 of Hiên's own file as the last setup left it that changed it: this one or one before
}

// A change is a file that a setup has changed.
type change struct {
	File    string `json:"file"`
	Existed bool   `json:"existed"`
	After   string `json:"after"` // SHA-256 of its text as it was changed
}

// made reports whether the text of Hiên's own file is what setups have made of
// it.
func (r *record) made(now []byte) bool { return r.Ours == sum(now) }

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

func (p Place) state(names ...string) string {
	return filepath.Join(append([]string{p.State}, names...)...)
}

// load reads a record.
func (p Place) load(name string) (*record, error) {
	text, err := os.ReadFile(p.state(name))
	if err != nil {
		return nil, err
	}
	r := new(record)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", p.state(name), err)
	}
	for _, c := range r.Files {
		if c.File != filepath.Base(c.File) || c.File == "" {
			return nil, fmt.Errorf("read %s: %q is no file of the router's", p.state(name), c.File)
		}
	}
	return r, nil
}

// keep copies the files that are to be changed, and then says that a setup is
// pending. From then on a reboot puts them back.
func (p Place) keep(boot string, after map[string][]byte) (*record, error) {
	err := p.forget() // what a power cut has left
	if err == nil {
		err = os.MkdirAll(p.state(beforeName), 0o700)
	}
	if err == nil {
		err = syncDir(filepath.Dir(p.State))
	}
	if err != nil {
		return nil, fmt.Errorf("keep the files as they are: %w", err)
	}
	r := &record{ID: rand.Text(), Boot: boot}
	last, err := p.load(keptName)
	if unlessMissing(err) != nil {
		return nil, fmt.Errorf("keep the files as they are: %w", err)
	}
	if last != nil {
		r.Ours = last.Ours
	}
	for _, file := range append([]string{hienFile}, routerFiles...) {
		text, changes := after[file]
		if !changes {
			continue
		}
		c := change{File: file, After: sum(text)}
		before, err := readFile(p.path(file))
		switch {
		case err == nil:
			c.Existed = true
			err = writeFile(p.state(beforeName, file), before)
		case errors.Is(err, fs.ErrNotExist):
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("keep %s as it is: %w", p.path(file), err)
		}
		r.Files = append(r.Files, c)
		if file == hienFile {
			r.Ours = c.After
			if err := p.keepOriginal(last, before, c.Existed); err != nil {
				return nil, fmt.Errorf("keep %s as it is: %w", p.path(file), err)
			}
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = writeFile(p.state(pendingName), append(text, '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("keep the files as they are: %w", err)
	}
	return r, nil
}

// keepOriginal keeps Hiên's own file as it is before the first setup, for an
// undo to go back to. Once it is not what the last setup has made of it, its
// owner has changed it, and to go back would throw that away: then none is
// kept, and an undo only switches Hiên off. last is nil before the first setup.
func (p Place) keepOriginal(last *record, now []byte, existed bool) error {
	if last != nil && last.made(now) {
		return nil
	}
	err := p.remove(originalName, noneName)
	if last != nil || err != nil {
		return err
	}
	name := noneName
	if existed {
		name = originalName
	}
	return writeFile(p.state(name), now)
}

// write puts the changed texts in their places.
func (p Place) write(r *record, after map[string][]byte) error {
	for _, c := range r.Files {
		if err := writeFile(p.path(c.File), after[c.File]); err != nil {
			return err
		}
	}
	return nil
}

// putBack makes the files what they were. A file that somebody has changed
// meanwhile keeps that: only our own sections become what they were.
func (p Place) putBack(r *record) error {
	var errs []error
	for _, c := range r.Files {
		if err := p.putFileBack(c); err != nil {
			errs = append(errs, fmt.Errorf("put %s back: %w", p.path(c.File), err))
		}
	}
	return errors.Join(errs...)
}

func (p Place) putFileBack(c change) error {
	var before []byte
	if c.Existed {
		var err error
		if before, err = readFile(p.state(beforeName, c.File)); err != nil {
			return err
		}
	}
	now, err := readFile(p.path(c.File))
	if err := unlessMissing(err); err != nil {
		return err
	}
	if sum(now) != c.After && now != nil {
		if changes, err := back(c.File, now, before); err == nil {
			if edited, err := Edit(map[string][]byte{c.File: now}, changes); err == nil {
				if text, changed := edited[c.File]; changed {
					return writeFile(p.path(c.File), text)
				}
				return nil
			}
		}
		// What is there now cannot be read: the copy can.
	}
	if !c.Existed {
		return unlessMissing(os.Remove(p.path(c.File)))
	}
	return writeFile(p.path(c.File), before)
}

// forget removes the copies that a setup needed while it waited; and what undo
// needs, where no setup is in force.
func (p Place) forget() error {
	err := errors.Join(os.RemoveAll(p.state(beforeName)), p.remove(askedName))
	if !p.has(keptName) {
		err = errors.Join(err, p.remove(originalName, noneName))
	}
	return err
}

// remove removes files of the state that may be there.
func (p Place) remove(names ...string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, unlessMissing(os.Remove(p.state(name))))
	}
	return errors.Join(errs...)
}

// original is Hiên's own file as it was before the first setup, if nobody but
// setups has changed it since; text is nil when there was none.
func (p Place) original(now []byte) (text []byte, ok bool, err error) {
	r, err := p.load(keptName)
	if err != nil {
		return nil, false, unlessMissing(err)
	}
	if !r.made(now) {
		return nil, false, nil
	}
	if p.has(noneName) {
		return nil, true, nil
	}
	text, err = readFile(p.state(originalName))
	return text, err == nil, unlessMissing(err)
}

// turn renames a record. It reports whether there was one: whoever does it
// first has decided.
func (p Place) turn(from, to string) (bool, error) {
	err := os.Rename(p.state(from), p.state(to))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = syncDir(p.State)
	}
	return err == nil, err
}

// kept reports whether a setup was confirmed, once it waits no more.
func (p Place) kept(r *record) bool {
	last, err := p.load(keptName)
	return err == nil && last.ID == r.ID
}

func (p Place) has(name string) bool {
	_, err := os.Stat(p.state(name))
	return err == nil
}

// waitFor is lock, but waits for another to let go.
func (p Place) waitFor(ctx context.Context, name string) (unlock func(), err error) {
	for {
		unlock, ok, err := p.lock(name)
		if ok || err != nil {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lock takes a lock that the process holds until it ends or lets go; false
// when another has it.
func (p Place) lock(name string) (unlock func(), ok bool, err error) {
	if err := os.MkdirAll(p.State, 0o700); err != nil {
		return nil, false, err
	}
	f, err := os.OpenFile(p.state(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, false, f.Close()
	case err != nil:
		return nil, false, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, true, nil
}

// writeFile puts a text in the place of a file's, with its owner and mode; a
// new one is its owner's alone. A kill or a power cut leaves the one or the
// other, whole.
func writeFile(path string, text []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	// The name begins with a dot, so that uci does not take it for a file of
	// the configuration.
	fresh, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(fresh.Name()) // once it has its name there is nothing to remove
	_, err = fresh.Write(text)
	info, gone := os.Stat(path)
	if gone == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			err = errors.Join(err, fresh.Chown(int(owner.Uid), int(owner.Gid)))
		}
		err = errors.Join(err, fresh.Chmod(info.Mode().Perm()))
	} else if !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	err = errors.Join(err, fresh.Sync(), fresh.Close())
	if err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
