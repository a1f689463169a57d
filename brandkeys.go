package hien

import (
	"errors"
	"fmt"
	"strings"
)

// MaxBrandKeys is how many keys the file of a brand's keys may hold.
const MaxBrandKeys = 4

// BrandKeys are a brand's keys as its file holds them: the current one, and
// behind it those that it has replaced, as long as people are still known by
// them. The zero BrandKeys hold none.
type BrandKeys struct {
	keys []BrandKey // versions fall
}

// NewBrandKeys puts a key in front of those before it.
func NewBrandKeys(current BrandKey, before ...BrandKey) (BrandKeys, error) {
	b := BrandKeys{append([]BrandKey{current}, before...)}
	return b, b.check()
}

// ParseBrandKeys reads the file of a brand's keys: one key in each line as
// Reveal writes it, the current one first, versions falling.
func ParseBrandKeys(text string) (BrandKeys, error) {
	var b BrandKeys
	for line := range strings.Lines(strings.TrimSpace(text)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		k, err := ParseBrandKey(line)
		if err != nil {
			return BrandKeys{}, err
		}
		if b.keys = append(b.keys, k); len(b.keys) > MaxBrandKeys {
			break // check says so
		}
	}
	if err := b.check(); err != nil {
		return BrandKeys{}, err
	}
	return b, nil
}

func (b BrandKeys) check() error {
	switch n := len(b.keys); {
	case n == 0:
		return errors.New("there is no brand key: want k<version>:<64 hex digits>, as `hien keygen` makes it")
	case n > MaxBrandKeys:
		return fmt.Errorf("there are more than %d brand keys: want the current one first, and behind it those that people are still known by", MaxBrandKeys)
	}
	for i, k := range b.keys[1:] {
		if before := b.keys[i]; k.version >= before.version {
			return fmt.Errorf("brand key k%d stands behind k%d: want the current key, of the highest version, in the first line", k.version, before.version)
		}
		for _, other := range b.keys[:i+1] {
			if string(other.secret) == string(k.secret) {
				return fmt.Errorf("brand keys k%d and k%d are the same secret: want a key drawn anew for each version", other.version, k.version)
			}
		}
	}
	return nil
}

// IsZero reports whether there is no key.
func (b BrandKeys) IsZero() bool { return len(b.keys) == 0 }

// Current is the key by which people are known from now on; the zero BrandKey
// when there is none.
func (b BrandKeys) Current() BrandKey {
	if b.IsZero() {
		return BrandKey{}
	}
	return b.keys[0]
}

// Previous are the keys behind the current one, the latest first.
func (b BrandKeys) Previous() []BrandKey {
	if b.IsZero() {
		return nil
	}
	return b.keys[1:]
}

// Next puts a fresh key of the next version in front. Of MaxBrandKeys the
// oldest must be taken away first.
func (b BrandKeys) Next() (BrandKeys, error) {
	return NewBrandKeys(NewBrandKey(b.Current().version+1), b.keys...)
}

// Reveal is the keys' text, for their file.
func (b BrandKeys) Reveal() string {
	var lines []string
	for _, k := range b.keys {
		lines = append(lines, k.Reveal())
	}
	return strings.Join(lines, "\n")
}

func (BrandKeys) String() string             { return "[brand keys]" }
func (BrandKeys) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[brand keys]") }

// Earlier are the versions of the brand keys that still stand behind the
// current one.
func (g *Gateway) Earlier() (versions []int) {
	for _, k := range g.settings.Load().Earlier {
		versions = append(versions, k.version)
	}
	return versions
}

// keysOf are the lead keys of a number, the current one first.
func (s *Settings) keysOf(p Phone) []LeadKey {
	return append([]LeadKey{s.Brand.LeadKey(p)}, s.earlier(p)...)
}

// earlier is how a person may be known by the keys behind the current one.
func (s *Settings) earlier(p Phone) (keys []LeadKey) {
	for _, k := range s.Earlier {
		keys = append(keys, k.LeadKey(p))
	}
	return keys
}

// stillTold is the lead key that a person had before, for as long as the brand
// key that made it stands in the file: so long both go upstream. A withdrawal
// goes there under both whenever there were two.
func (s *Settings) stillTold(m Member) LeadKey {
	for _, k := range s.Earlier {
		if strings.HasPrefix(string(m.Previous), fmt.Sprintf("k%d:", k.version)) {
			return m.Previous
		}
	}
	return ""
}
