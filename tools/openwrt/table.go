package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"text/tabwriter"

	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// printTable prints each package's size as a download, and what its files
// take as xz, which is what they take on a router's flash: squashfs packs with
// xz, the overlay (JFFS2, UBIFS) somewhat less well.
func printTable(out io.Writer, tasks []*task) error {
	flash := map[[sha256.Size]byte]string{}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "package\tarchitecture\tdownload\tfiles as xz\t\n")
	for _, t := range tasks {
		files := concat(t.parcel)
		key := sha256.Sum256(files)
		if _, known := flash[key]; !known {
			flash[key] = xz(files)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t\n", t.filename, t.arch, len(t.bytes), flash[key])
	}
	return w.Flush()
}

func concat(p parcel.Parcel) []byte {
	var b bytes.Buffer
	for _, f := range p.Files {
		b.Write(f.Data)
	}
	return b.Bytes()
}

func xz(b []byte) string {
	cmd := exec.Command("xz", "-9e", "--threads=1", "--stdout")
	cmd.Stdin = bytes.NewReader(b)
	packed, err := cmd.Output()
	if err != nil {
		return "no xz here"
	}
	return strconv.Itoa(len(packed))
}
