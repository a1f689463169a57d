package templates

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestTheStyleIsSmall(t *testing.T) {
	if got, most := len(style), 5120; got > most {
		t.Errorf("the style is %d bytes: want at most %d", got, most)
	}
}

// colours reads the custom properties of the light and the dark scheme.
func colours(t *testing.T) map[string]map[string]float64 {
	t.Helper()
	light, dark, ok := strings.Cut(style, "@media (prefers-color-scheme:dark)")
	if !ok {
		light, dark, ok = strings.Cut(style, "@media (prefers-color-scheme: dark)")
	}
	if !ok {
		t.Fatal("the style has no dark scheme")
	}
	property := regexp.MustCompile(`--([a-z]+): ?#([0-9a-f]{6})`)
	schemes := make(map[string]map[string]float64)
	for name, text := range map[string]string{"light": light, "dark": dark} {
		schemes[name] = make(map[string]float64)
		for _, m := range property.FindAllStringSubmatch(text, -1) {
			schemes[name][m[1]] = luminance(t, m[2])
		}
	}
	return schemes
}

// luminance is the relative luminance of a colour (WCAG 2.2).
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	v, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	part := func(shift uint) float64 {
		c := float64(v>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

func TestTextCanBeRead(t *testing.T) {
	text := []struct {
		fore, back string
		least      float64
	}{
		{"ink", "ground", 7}, {"ink", "card", 7},
		{"soft", "ground", 4.5}, {"soft", "card", 4.5},
		{"accent", "ground", 4.5}, {"accent", "card", 4.5},
		{"on", "accent", 4.5},
		{"bad", "ground", 4.5},
		{"edge", "ground", 3}, {"edge", "card", 3}, // fields and the ticket: WCAG 1.4.11
	}
	for scheme, c := range colours(t) {
		for _, pair := range text {
			a, okA := c[pair.fore]
			b, okB := c[pair.back]
			if !okA || !okB {
				t.Fatalf("%s: no colour %s or %s", scheme, pair.fore, pair.back)
			}
			ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05)
			if ratio < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f: want at least %.1f", scheme, pair.fore, pair.back, ratio, pair.least)
			}
		}
	}
}

func TestSqueezeKeepsTheRules(t *testing.T) {
	got := squeeze("/* why */\na {\n\tb: c d;\n}\n@media (e: f) {\n\ta, g > h :i ~ j { b: c; }\n}\n")
	if want := "a{b:c d}@media (e:f){a,g>h :i~j{b:c}}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
