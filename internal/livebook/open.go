package livebook

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// lockRetry is how often a lock that another process holds is tried again.
const lockRetry = 20 * time.Millisecond

// Open opens the book at path, or begins one: when there is none, when the
// file is damaged, when it is of another boot or another layout. The last
// three are told in one warning. The file is for its owner alone (0600).
//
// ErrBusy says that another process has it. An EINVAL says that the file
// system cannot map a file (JFFS2 cannot): the directory must be on tmpfs.
func Open(path string, o Options) (*Book, error) {
	b := &Book{max: o.MaxGuests, index: newIndex(), sent: make(map[string]time.Duration)}
	if b.max <= 0 {
		b.max = DefaultMaxGuests
	}
	anew, err := b.open(path, o)
	switch {
	case errors.Is(err, ErrBusy):
		return nil, fmt.Errorf("open livebook %s: %w", path, err)
	case errors.Is(err, unix.EINVAL):
		return nil, fmt.Errorf("open livebook %s: %w: the directory must be on tmpfs, see run_dir", path, err)
	case err != nil:
		return nil, fmt.Errorf("open livebook %s: %w", path, err)
	}
	if anew != nil && o.Log != nil {
		o.Log.Warn("the book of guests was begun anew; guests without a pass see the portal again", "path", path, "why", anew)
	}
	return b, nil
}

// open opens the file and reads it in. anew is why an earlier book was
// dropped, if one was.
func (b *Book) open(path string, o Options) (anew, err error) {
	b.db, anew, err = openFile(path, o.Wait, sizeLimit(b.max))
	if err != nil {
		return nil, err
	}
	why := b.load(o.Boot)
	if why == nil {
		return anew, nil
	}
	b.index, b.sent = newIndex(), make(map[string]time.Duration)
	if err := b.db.Update(func(tx *bbolt.Tx) error { return begin(tx, o.Boot) }); err != nil {
		b.db.Close()
		return nil, err
	}
	if anew == nil && !errors.Is(why, errEmpty) {
		anew = why
	}
	return anew, nil
}

// sizeLimit bounds the file: 4 KiB for a guest (a page with a form takes
// less than one), twice, as bbolt writes beside what it replaces.
func sizeLimit(guests int) int { return 8<<20 + 2*4096*guests }

// openFile locks and checks the file before bbolt maps it. A damaged file is
// emptied under the lock, never removed: whoever waits for the lock waits for
// this very file.
func openFile(path string, wait time.Duration, limit int) (db *bbolt.DB, damage, err error) {
	options := &bbolt.Options{
		NoSync:         true, // tmpfs: see the package comment
		NoFreelistSync: true, // found again at open, in one walk
		FreelistType:   bbolt.FreelistMapType,
		MaxSize:        limit,
		NoStatistics:   true,
	}
	var file *os.File
	options.OpenFile = func(path string, flag int, mode os.FileMode) (_ *os.File, err error) {
		if file, err = os.OpenFile(path, flag, mode); err != nil {
			return nil, err
		}
		if why, err := prepare(file, wait, limit); err != nil {
			file.Close()
			return nil, err
		} else if why != nil {
			damage = why
		}
		return file, nil
	}
	open := func() (db *bbolt.DB, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: %v", errDamaged, r)
			}
		}()
		return bbolt.Open(path, 0o600, options)
	}
	db, err = open()
	// What the check let pass and bbolt refuses all the same.
	if errors.Is(err, errDamaged) || errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrVersionMismatch) {
		file.Close()
		if err := os.Truncate(path, 0); err != nil {
			return nil, nil, err
		}
		why := err
		if db, err = open(); err == nil {
			damage = why
		}
	}
	if err != nil {
		return nil, nil, err
	}
	db.AllocSize = 1 << 20
	return db, damage, nil
}

// prepare takes the file's lock, which bbolt then takes again through the
// same descriptor, and empties a file that must not be mapped.
func prepare(f *os.File, wait time.Duration, limit int) (damage, err error) {
	if err := lock(f, wait); err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	if info.Size() > 2*int64(limit) {
		damage = fmt.Errorf("%w: %d bytes", errDamaged, info.Size())
	} else {
		damage = sound(f, info.Size())
	}
	if damage != nil {
		if err := f.Truncate(0); err != nil {
			return nil, err
		}
	}
	return damage, nil
}

func lock(f *os.File, wait time.Duration) error {
	for ; ; wait -= lockRetry {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("lock: %w", err)
		case wait <= 0:
			return ErrBusy
		}
		time.Sleep(lockRetry)
	}
}

var (
	errEmpty   = errors.New("it is empty")
	errDamaged = errors.New("the file is damaged")
)

// load reads the whole book once: every page is decoded, so that one that
// cannot be is found now and not when its guest stands before the portal.
func (b *Book) load(boot string) error {
	return b.db.Update(func(tx *bbolt.Tx) error {
		about, guests, codes, notices := tx.Bucket(aboutBucket), tx.Bucket(guestsBucket), tx.Bucket(codesBucket), tx.Bucket(noticesBucket)
		if about == nil || guests == nil || codes == nil || notices == nil {
			if key, _ := tx.Cursor().First(); key == nil {
				return errEmpty
			}
			return errDamaged
		}
		if l := string(about.Get(layoutKey)); l != layout {
			return fmt.Errorf("its layout is %q and not %q", l, layout)
		}
		if string(about.Get(bootKey)) != boot {
			return errors.New("it is of an earlier boot, though a tmpfs is empty after one: is run_dir on tmpfs?")
		}
		if _, err := decodeOpen(tx); err != nil {
			return err
		}
		used := make(map[consent.Hash]bool)
		err := eachGuest(tx, func(g hien.Guest) error {
			b.index.note(g)
			if g.Form != nil {
				used[g.Form.Notice.Hash()] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := dropNotices(notices, used); err != nil {
			return err
		}
		return codes.ForEach(func(number, value []byte) error {
			times := decodeTimes(value)
			if len(times) == 0 {
				return errDamaged
			}
			b.sent[string(number)] = times[len(times)-1]
			return nil
		})
	})
}

// dropNotices drops the wordings that no form has.
func dropNotices(notices *bbolt.Bucket, used map[consent.Hash]bool) error {
	var unused [][]byte
	err := notices.ForEach(func(hash, _ []byte) error {
		if len(hash) != len(consent.Hash{}) || !used[consent.Hash(hash)] {
			unused = append(unused, append([]byte(nil), hash...))
		}
		return nil
	})
	for _, hash := range unused {
		err = errors.Join(err, notices.Delete(hash))
	}
	return err
}

// begin empties the book.
func begin(tx *bbolt.Tx, boot string) error {
	var names [][]byte
	cursor := tx.Cursor()
	for name, value := cursor.First(); name != nil; name, value = cursor.Next() {
		if value != nil {
			return errDamaged
		}
		names = append(names, append([]byte(nil), name...))
	}
	for _, name := range names {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
	for _, name := range [][]byte{guestsBucket, noticesBucket, codesBucket, aboutBucket} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	about := tx.Bucket(aboutBucket)
	return errors.Join(about.Put(layoutKey, []byte(layout)), about.Put(bootKey, []byte(boot)))
}
