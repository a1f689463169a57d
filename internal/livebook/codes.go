package livebook

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hien-wifi/hien"
)

const (
	quarter = 15 * time.Minute
	day     = 24 * time.Hour
)

// CountCode counts one code for a number (named by a keyed hash) at now on
// the boot clock, unless hien.CodesPerQuarter within 15 minutes or
// hien.CodesPerDay within a day were counted already, which it reports. A
// code that is not allowed is not counted. At most MaxNumbers numbers are
// known; beyond that the one that was quiet for the longest is dropped.
func (b *Book) CountCode(number []byte, now time.Duration) (allowed bool, err error) {
	if len(number) == 0 {
		return false, errors.New("count code: no number")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var gone []string
	oldest := ""
	for n, last := range b.sent {
		switch {
		case n == string(number):
		case last <= now-day:
			gone = append(gone, n)
		case oldest == "" || last < b.sent[oldest]:
			oldest = n
		}
	}
	_, known := b.sent[string(number)]
	if !known && len(b.sent)-len(gone) >= MaxNumbers {
		gone = append(gone, oldest)
	}

	err = b.db.Update(func(tx *bbolt.Tx) error {
		codes := tx.Bucket(codesBucket)
		sent := within(decodeTimes(codes.Get(number)), now, day)
		if len(sent) >= hien.CodesPerDay || len(within(sent, now, quarter)) >= hien.CodesPerQuarter {
			return hien.ErrUnchanged
		}
		allowed = true
		for _, n := range gone {
			if err := codes.Delete([]byte(n)); err != nil {
				return err
			}
		}
		return codes.Put(number, encodeTimes(append(sent, now)))
	})
	switch {
	case errors.Is(err, hien.ErrUnchanged):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("write livebook: %w", err)
	}
	for _, n := range gone {
		delete(b.sent, n)
	}
	b.sent[string(number)] = now
	return allowed, nil
}

// within are the times less than age before now.
func within(times []time.Duration, now, age time.Duration) []time.Duration {
	var young []time.Duration
	for _, t := range times {
		if t > now-age {
			young = append(young, t)
		}
	}
	return young
}

func encodeTimes(times []time.Duration) []byte {
	b := make([]byte, 0, 8*len(times))
	for _, t := range times {
		b = binary.BigEndian.AppendUint64(b, uint64(t))
	}
	return b
}

func decodeTimes(b []byte) []time.Duration {
	var times []time.Duration
	for ; len(b) >= 8; b = b[8:] {
		times = append(times, time.Duration(binary.BigEndian.Uint64(b)))
	}
	return times
}
