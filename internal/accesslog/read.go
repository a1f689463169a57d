package accesslog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/hien-wifi/hien"
)

// A Found is what became of a file that was read.
type Found struct {
	Entries int
	Foreign int   // records that are sealed to another key
	Closed  int   // records that the key does not open: another file's, or changed
	Damaged int64 // bytes that are no record
}

// Read opens a month's file, of which path is the name that it had on the
// router, and hands each entry to visit. What cannot be read is passed over
// and counted. It is for the holder of the private key, never for a router.
func Read(path string, key hien.UnsealKey, visit func(Entry)) (found Found, err error) {
	name := filepath.Base(path)
	if !monthName.MatchString(name) {
		return found, fmt.Errorf("%s is no month's file: want the name that it had on the router, as 2026-11.log", name)
	}
	f, err := os.Open(path)
	if err != nil {
		return found, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return found, err
	}
	return read(f, info.Size(), strings.TrimSuffix(name, ending), key, visit), nil
}

func read(f io.ReaderAt, size int64, month string, key hien.UnsealKey, visit func(Entry)) (found Found) {
	ours := keyName(key.SealKey())
	for end := int64(0); ; {
		at := next(f, end, size)
		found.Damaged += at - end
		if at == size {
			return found
		}
		h, sealed, _ := recordAt(f, at)
		end = at + headSize + h.size
		if h.key != ours {
			found.Foreign++
			continue
		}
		text, err := key.OpenText(sealInfo, bound(month, at), sealed)
		if err != nil {
			found.Closed++
			continue
		}
		for d := json.NewDecoder(bytes.NewReader(text)); ; {
			var e Entry
			if err := d.Decode(&e); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				found.Closed++
				break
			}
			found.Entries++
			visit(e)
		}
	}
}
