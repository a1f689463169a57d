package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"sync"
	"text/tabwriter"

	"github.com/hien-wifi/hien/tools/openwrt/parcel"
)

// printTable prints each package's size as a download, and what its files
// take as xz, which is what they take on a router's flash: squashfs packs with
// xz, the overlay (JFFS2, UBIFS) somewhat less well. Debian's have no flash to
// fit on.
func printTable(out io.Writer, tasks []*task) error {
	flash, err := flashOf(tasks)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "package\tarchitecture\tdownload\tfiles as xz\t\n")
	for i, t := range tasks {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t\n", t.filename, t.arch, len(t.bytes), flash[i])
	}
	return w.Flush()
}

// flashOf packs what goes into each package with xz, the same files once.
func flashOf(tasks []*task) ([]string, error) {
	var mu sync.Mutex
	known := map[[sha256.Size]byte]func() string{}
	flash := make([]string, len(tasks))
	numbers := make([]int, len(tasks))
	for i := range numbers {
		numbers[i] = i
	}
	return flash, inParallel(numbers, func(i int) error {
		if tasks[i].kind == "deb" {
			flash[i] = "–"
			return nil
		}
		files := concat(tasks[i].parcel)
		key := sha256.Sum256(files)
		mu.Lock()
		pack := known[key]
		if pack == nil {
			pack = sync.OnceValue(func() string { return xz(files) })
			known[key] = pack
		}
		mu.Unlock()
		flash[i] = pack()
		return nil
	})
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
