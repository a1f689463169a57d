// Package qr draws QR codes as SVG, for pages that may load nothing from
// elsewhere and for sheets of paper.
package qr

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quiet is the margin around a code, in modules (ISO/IEC 18004 §6.3.8: four).
const quiet = 4

// SVG draws a text as a QR code: one path of black on white, whatever the
// page's own colours, as a reader needs the contrast. It scales to its box.
// label is what a screen reader says instead. The error correction is M: 15 %
// of the code may be dirty. A text that is too long for a code is an error.
func SVG(text, label string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("draw QR code: %w", err)
	}
	side := code.Size + 2*quiet
	// A line along the middle of each row, with gaps: a third of the bytes of
	// as many rectangles.
	var path strings.Builder
	for y := range code.Size {
		pen := -1 // where the row's line has come to; nowhere yet
		for x := 0; x < code.Size; x++ {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			switch {
			case run == 0:
				continue
			case pen < 0:
				fmt.Fprintf(&path, "M%d %d.5", x+quiet, y+quiet)
			default:
				fmt.Fprintf(&path, "m%d 0", x-pen)
			}
			fmt.Fprintf(&path, "h%d", run)
			x += run
			pen = x
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[2]dH0z"/><path stroke="#000" d="%[4]s"/></svg>`,
		side, side, escape(label), path.String()), nil
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace
