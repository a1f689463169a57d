package qr_test

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hien-wifi/hien/internal/qr"
	lib "rsc.io/qr"
)

// steps are what a path is made of.
var steps = regexp.MustCompile(`([Mmh])(\d+)(?: (\d+(?:\.5)?))?`)

// TestSVGIsTheCode reads the drawing back and compares each module with the
// library's.
func TestSVGIsTheCode(t *testing.T) {
	for _, text := range []string{"http://10.77.0.1:2050/receipt/abcdefghijklmnop", "x", strings.Repeat("hiên ", 80)} {
		svg, err := qr.SVG(text, `a "receipt" & <more>`)
		if err != nil {
			t.Fatal(err)
		}
		var drawn struct {
			ViewBox string `xml:"viewBox,attr"`
			Label   string `xml:"aria-label,attr"`
			Paths   []struct {
				D string `xml:"d,attr"`
			} `xml:"path"`
		}
		if err := xml.Unmarshal([]byte(svg), &drawn); err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
		if drawn.Label != `a "receipt" & <more>` {
			t.Errorf("label: got %q", drawn.Label)
		}
		code, err := lib.Encode(text, lib.M)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("0 0 %d %d", code.Size+8, code.Size+8); drawn.ViewBox != want {
			t.Errorf("viewBox: got %s, want %s", drawn.ViewBox, want)
		}
		black := make(map[[2]int]bool)
		x, y := 0, 0
		for _, step := range steps.FindAllStringSubmatch(drawn.Paths[1].D, -1) {
			n, err := strconv.Atoi(step[2])
			if err != nil {
				t.Fatal(err)
			}
			switch step[1] {
			case "M":
				if x = n; !strings.HasSuffix(step[3], ".5") {
					t.Fatalf("a line beside the middle of its row: %q", step[0])
				}
				fmt.Sscanf(step[3], "%d", &y)
			case "m":
				x += n
			case "h":
				for i := range n {
					black[[2]int{x - 4 + i, y - 4}] = true
				}
				x += n
			}
		}
		if rest := steps.ReplaceAllString(drawn.Paths[1].D, ""); rest != "" {
			t.Fatalf("a path with %q in it", rest)
		}
		for y := -4; y < code.Size+4; y++ {
			for x := -4; x < code.Size+4; x++ {
				if black[[2]int{x, y}] != code.Black(x, y) {
					t.Fatalf("module %d,%d of %q: drawn %v", x, y, text, black[[2]int{x, y}])
				}
			}
		}
	}
}

func TestATextThatIsTooLong(t *testing.T) {
	if _, err := qr.SVG(strings.Repeat("x", 5000), ""); err == nil {
		t.Error("a text that no code can hold was drawn")
	}
}
