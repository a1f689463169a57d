package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/qr"
)

// A sheet is one page of paper: one secret, and what its keeper does with it.
type sheet struct {
	Kind  string // "brand", "unseal" or "access-log"
	Key   string // the secret's text
	Print string // by which it is compared without being read out
	Line  string // of the routers' configuration; empty for none
	Code  template.HTML
}

func brandSheet(k hien.BrandKeys) sheet {
	return sheet{Kind: "brand", Key: k.Reveal(), Print: k.Current().Print()}
}

func unsealSheet(k hien.UnsealKey) sheet {
	return sheet{Kind: "unseal", Key: k.Reveal(), Print: k.SealKey().Print(), Line: fmt.Sprintf("option seal_key '%s'", k.SealKey())}
}

func accessLogSheet(k hien.UnsealKey) sheet {
	return sheet{Kind: "access-log", Key: k.Reveal(), Print: k.SealKey().Print(), Line: fmt.Sprintf("option access_log_key '%s'", k.SealKey())}
}

//go:embed paper.html
var paperText string

var paperPage = template.Must(template.New("paper").Parse(paperText))

// paper is the page to be printed. It loads nothing from anywhere.
func paper(sheets []sheet, date string) (string, error) {
	for i := range sheets {
		svg, err := qr.SVG(sheets[i].Key, "QR: "+sheets[i].Print)
		if err != nil {
			return "", err
		}
		sheets[i].Code = template.HTML(svg) // ours, of a text that qr escapes
	}
	var page strings.Builder
	err := paperPage.Execute(&page, map[string]any{"Sheets": sheets, "Date": date})
	return page.String(), err
}

// writePaper writes the page into a file that only its owner can read.
func (c *call) writePaper(file string, sheets []sheet) error {
	page, err := paper(sheets, c.now().Format("02/01/2006"))
	if err == nil {
		err = writeNew(file, page)
	}
	if err != nil {
		return fmt.Errorf("write the paper page: %w", err)
	}
	fmt.Fprintf(c.out, "\nThe page to be printed is %s.\nIt holds the keys: print it on a printer of your own, put each sheet into an\nenvelope of its own, and delete the file.\n", file)
	return nil
}
