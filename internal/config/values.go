package config

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/backup"
)

// The bounds of durations. The kernel's sets count a pass in seconds and no
// further than 2147483 (IPSET_MAX_TIMEOUT: 24 days and 20 hours).
const (
	minPass = time.Second
	maxPass = 24 * day
	minGap  = 5 * time.Second
	maxGap  = day
	minIdle = time.Minute
	maxIdle = day

	minGrace = time.Second
	maxGrace = 15 * time.Minute

	day = 24 * time.Hour
)

const (
	pathAllowed      = "an absolute path without . and .."
	interfaceAllowed = "the name of a network interface, at most 15 letters, digits, '.', '_' and '-'"
)

func textAllowed(most int) string {
	return fmt.Sprintf("a text of at most %d characters in one line", most)
}

func durationAllowed(least, most string) string {
	return fmt.Sprintf("a time from %s to %s, as in 90s, 30m, 4h, 1h30m or 7d", least, most)
}

func setBool(to *bool, v string) bool {
	*to = v == "1"
	return v == "1" || v == "0"
}

func setOneOf(to *string, v string, allowed ...string) bool {
	*to = v
	return slices.Contains(allowed, v)
}

func setStoreID(to *string, v string) bool {
	*to = v
	return len(v) <= 32 && v[0] != '-' && v[0] != '_' && !strings.ContainsFunc(v, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

// setText takes a line for people. Controls, line breaks and the marks that
// turn the direction of text could make a page say something else than what
// was written.
func setText(to *string, v string, most int) bool {
	*to = v
	return utf8.ValidString(v) && utf8.RuneCountInString(v) <= most && strings.TrimSpace(v) != "" &&
		!strings.ContainsFunc(v, func(r rune) bool {
			return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
		})
}

func setPath(to *string, v string) bool {
	*to = v
	return path.IsAbs(v) && path.Clean(v) == v && v != "/" && len(v) <= 255 && utf8.ValidString(v) &&
		!strings.ContainsFunc(v, unicode.IsControl)
}

// setRunDir leaves room for the name of the control socket: sun_path holds
// 107 bytes (unix(7)).
func setRunDir(to *string, v string) bool { return setPath(to, v) && len(v) <= 90 }

func setSealKey(to *hien.SealKey, v string) bool {
	k, err := hien.ParseSealKey(v)
	*to = k
	return err == nil
}

func setBackupKey(to *backup.Recipient, v string) bool {
	k, err := backup.ParseRecipient(v)
	*to = k
	return err == nil
}

// setInterface takes what the kernel takes (dev_valid_name: 15 bytes, no
// slash, colon or white space) without what iptables and the command line
// would read as something else.
func setInterface(to *string, v string) bool {
	*to = v
	return len(v) <= 15 && v[0] != '-' && v != "." && v != ".." && !strings.ContainsFunc(v, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	})
}

func addInterface(to *[]string, v string) bool {
	var name string
	if !setInterface(&name, v) || slices.Contains(*to, name) {
		return false
	}
	*to = append(*to, name)
	return true
}

func setPort(to *uint16, v string) bool {
	n, ok := decimal(v, math.MaxUint16)
	if !ok || n < 1024 {
		*to = 0 // no port, so that it is not held against others
		return false
	}
	*to = uint16(n)
	return true
}

// decimal reads a number of digits only; strconv would take signs.
func decimal(v string, most int64) (int64, bool) {
	if v == "" || len(v) > 10 || strings.Trim(v, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil && n <= most
}

// units are those of times, longest first.
var units = []struct {
	sign byte
	is   time.Duration
}{{'d', day}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}

// setDuration reads whole numbers with units, each at most once and in their
// order.
func setDuration(to *time.Duration, v string, least, most time.Duration) bool {
	units := units
	var sum time.Duration
	for v != "" {
		i := strings.IndexAny(v, "dhms")
		if i < 0 {
			return false
		}
		n, ok := decimal(v[:i], 1e7)
		for len(units) > 0 && units[0].sign != v[i] {
			units = units[1:]
		}
		if !ok || len(units) == 0 {
			return false
		}
		sum += time.Duration(n) * units[0].is
		units, v = units[1:], v[i+1:]
	}
	*to = sum
	return sum >= least && sum <= most
}

// setIdle takes 0 as well: then no pass ends for want of traffic.
func setIdle(to *time.Duration, v string) bool {
	*to = 0
	return v == "0" || setDuration(to, v, minIdle, maxIdle)
}

func setGrace(to *time.Duration, v string) bool {
	*to = 0
	return v == "0" || setDuration(to, v, minGrace, maxGrace)
}

// setURL takes the address of a platform. What carries people's data is
// encrypted on its way; only this machine may be spoken to in the clear.
func setURL(to *string, v string) bool {
	u, err := url.Parse(v)
	*to = v
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(v, "?#") || !ascii(v) || len(v) > 512 {
		return false
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, ok := decimal(port, math.MaxUint16); !ok || n == 0 {
			return false
		}
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// setWriteKey takes what can be the user of HTTP's basic authentication (RFC
// 7617 §2: no colon).
func setWriteKey(to *Secret, v string) bool {
	*to = NewSecret(v)
	return len(v) <= 128 && ascii(v) && !strings.Contains(v, ":")
}

// ascii reports whether a value consists of letters, digits and signs.
func ascii(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' })
}

func addPurpose(z *zone, v string) bool {
	p, err := consent.ParsePurpose(v)
	if err != nil || slices.Contains(z.Purposes, p) || !consent.RoomFor(p, z.Purposes) {
		return false
	}
	z.Purposes = append(z.Purposes, p)
	return true
}
