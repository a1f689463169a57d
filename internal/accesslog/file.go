package accesslog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"regexp"
	"strconv"

	"github.com/hien-wifi/hien"
)

const (
	magic     = "HAL1"
	headSize  = 16
	maxRecord = 64 << 10 // bytes that one record seals at most
	sealInfo  = "hien access log v1"
	ending    = ".log"
)

// A monthName is the name of a month's file.
var monthName = regexp.MustCompile(`^[0-9]{4}-(0[1-9]|1[0-2])\.log$`)

func bound(month string, offset int64) []byte {
	return []byte(month + " " + strconv.FormatInt(offset, 10))
}

func keyName(k hien.SealKey) (name [4]byte) {
	sum := sha256.Sum256([]byte(k.String()))
	copy(name[:], sum[:])
	return name
}

// seal makes a record of a text, for its place in a month's file.
func seal(k hien.SealKey, month string, offset int64, text []byte) ([]byte, error) {
	sealed, err := k.SealText(sealInfo, bound(month, offset), text)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 0, headSize+len(sealed))
	head = append(head, magic...)
	head = binary.BigEndian.AppendUint32(head, uint32(len(sealed)))
	name := keyName(k)
	head = append(head, name[:]...)
	head = binary.BigEndian.AppendUint32(head, crc32.ChecksumIEEE(sealed))
	return append(head, sealed...), nil
}

// A head is the beginning of a record.
type head struct {
	size int64
	key  [4]byte
	sum  uint32
}

func parseHead(b []byte) (h head, ok bool) {
	if len(b) < headSize || string(b[:4]) != magic {
		return head{}, false
	}
	h = head{size: int64(binary.BigEndian.Uint32(b[4:])), key: [4]byte(b[8:12]), sum: binary.BigEndian.Uint32(b[12:])}
	return h, h.size > 0 && h.size <= 2*maxRecord
}

// recordAt reads the record at an offset; ok is false where there is no whole
// one.
func recordAt(f io.ReaderAt, offset int64) (h head, sealed []byte, ok bool) {
	var b [headSize]byte
	if _, err := f.ReadAt(b[:], offset); err != nil {
		return head{}, nil, false
	}
	if h, ok = parseHead(b[:]); !ok {
		return head{}, nil, false
	}
	sealed = make([]byte, h.size)
	if _, err := f.ReadAt(sealed, offset+headSize); err != nil && !errors.Is(err, io.EOF) {
		return head{}, nil, false
	}
	return h, sealed, crc32.ChecksumIEEE(sealed) == h.sum
}

// next is the offset of the next whole record at or behind offset, size when
// there is none. What lies between is damaged.
func next(f io.ReaderAt, offset, size int64) int64 {
	buf := make([]byte, 64<<10)
	for offset < size {
		if _, _, ok := recordAt(f, offset); ok {
			return offset
		}
		n, _ := f.ReadAt(buf[:min(int64(len(buf)), size-offset)], offset)
		if n <= 1 {
			break
		}
		if i := bytes.Index(buf[1:n], []byte(magic)); i >= 0 {
			offset += 1 + int64(i)
		} else {
			offset += max(1, int64(n-len(magic)+1)) // it may begin in what follows
		}
	}
	return size
}

// openMonth opens a month's file to be written on, and cuts off what a power
// cut left half written at its end. It answers where the next record goes.
func openMonth(path string) (f *os.File, end int64, err error) {
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	size := info.Size()
	whole := int64(0) // where the last whole record ends
	for at := next(f, 0, size); at < size; at = next(f, whole, size) {
		h, _, _ := recordAt(f, at)
		whole = at + headSize + h.size
	}
	if whole < size {
		if err := errors.Join(f.Truncate(whole), f.Sync()); err != nil {
			f.Close()
			return nil, 0, fmt.Errorf("cut off what was half written: %w", err)
		}
	}
	return f, whole, nil
}
