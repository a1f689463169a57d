package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// errSome is the end of a run in which some rows were bad. They were named.
var errSome = errors.New("not every row could be done, see above")

// withInput hands the file that was named to read, else standard input.
func (c *call) withInput(read func(io.Reader) error) error {
	in, name := c.in, "standard input"
	if len(c.words) > 0 && c.words[0] != "-" {
		f, err := os.Open(c.words[0])
		if err != nil {
			return fmt.Errorf("read the rows: %w", err)
		}
		defer f.Close()
		in, name = f, c.words[0]
	}
	if err := read(in); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// read reads the rows.
func (c *call) read() (t table, err error) {
	err = c.withInput(func(in io.Reader) (err error) {
		t, err = readTable(in)
		return err
	})
	return t, err
}

// each carries deed out for each row and keeps those that it wants kept. What
// it refuses is named.
func (c *call) each(t *table, deed func(*row) (keep bool, err error)) (bad, left int) {
	kept := t.rows[:0]
	for _, r := range t.rows {
		keep := false
		if r.bad == nil {
			keep, r.bad = deed(&r)
		}
		switch {
		case r.bad != nil:
			fmt.Fprintf(c.err, "%s: %v\n", r.name(), r.bad)
			bad++
		case keep:
			kept = append(kept, r)
		default:
			left++
		}
	}
	t.rows = kept
	return bad, left
}

// formatFlag is --format: as which text the rows are written.
func (c *call) formatFlag() *string {
	return c.flags.String("format", "", "write `csv` or json (default: what was read)")
}

func (c *call) checkFormat(format string) error {
	if !slices.Contains([]string{"", "csv", "json"}, format) {
		return c.misused("--format %q: want csv or json", format)
	}
	return nil
}

// outFlag is --out: the file that only its owner can read.
func (c *call) outFlag() *string {
	return c.flags.String("out", "", "write a new `FILE` that only you can read (default: standard output)")
}

// writeRows writes the rows as they were read, or as format says.
func (c *call) writeRows(t table, format, out string) error {
	asJSON := format == "json" || format == "" && t.json
	return c.writeTo(out, func(w io.Writer) error { return t.write(w, asJSON) })
}

// writeTo writes standard output, or a file that was not there before.
func (c *call) writeTo(out string, write func(io.Writer) error) error {
	if out == "" {
		return write(c.out)
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the rows: %w", err)
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the rows: %w", err), os.Remove(out))
	}
	return nil
}

// warning stands over every output with readable numbers.
const warning = `
  ┌────────────────────────────────────────────────────────────────────────┐
  │  SỐ ĐIỆN THOẠI ĐỌC ĐƯỢC · READABLE PHONE NUMBERS                       │
  │                                                                        │
  │  Chỉ dùng cho mục đích mà từng người đã đồng ý, rồi xoá tệp này.       │
  │  Ai đã rút lại đồng ý sau khi xuất thì không được liên hệ nữa:         │
  │  hãy xuất lại trước mỗi lần dùng. Đừng gửi tệp qua thư hay Zalo.       │
  │                                                                        │
  │  Use them only for what each person agreed to, then delete them.       │
  │  Whoever has withdrawn since the export must not be contacted:         │
  │  export again before each use. Do not mail or message this file.       │
  └────────────────────────────────────────────────────────────────────────┘

`

// writings are how --write has numbers written. Advertising platforms compare
// a hash of the number, and one that is written otherwise matches nobody.
var writings = map[string]func(e164 string) string{
	"+84": func(e string) string { return e },
	"84":  func(e string) string { return e[1:] },
	"0": func(e string) string {
		if national, ok := strings.CutPrefix(e, "+84"); ok {
			return "0" + national
		}
		return e // a foreign number has no other form at home
	},
}

// open is `hien-unseal open`: sealed numbers become readable ones.
func open(c *call) error {
	keyFile := c.flags.String("key", "", "the `FILE` of the unseal key (default: it is asked for)")
	format, out := c.formatFlag(), c.outFlag()
	write := c.flags.String("write", "+84", "write numbers as `+84`…, 84… or 0…; Google wants +84, Meta, TikTok's\n        customer file and Zalo want 84")
	if err := c.parse(1); err != nil {
		return err
	}
	written, ok := writings[*write]
	if !ok {
		return c.misused("--write %q: want +84, 84 or 0", *write)
	}
	if err := c.checkFormat(*format); err != nil {
		return err
	}
	key, err := c.unsealKey(*keyFile)
	if err != nil {
		return err
	}
	t, err := c.read()
	if err != nil {
		return err
	}
	fmt.Fprint(c.err, warning)
	bad, none := c.each(&t, func(r *row) (bool, error) {
		phone, err := opened(*r, key)
		if err != nil || phone.IsZero() {
			return false, err
		}
		i := r.find("sealed_phone")
		before := strings.TrimSuffix(strings.ToLower(r.fields[i].name), "sealed_phone")
		r.fields[i] = field{name: r.fields[i].name[:len(before)] + "phone", text: written(phone.Reveal())}
		return true, nil
	})
	if err := c.writeRows(t, *format, *out); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "%s opened; %s could not be opened;\n%s without a sealed number %s left out.\n",
		count(len(t.rows), "number was", "numbers were"), count(bad, "row", "rows"), count(none, "row", "rows"), were(none))
	if bad > 0 {
		return errSome
	}
	return nil
}

// opened opens the sealed number of a row; the zero Phone when it has none.
func opened(r row, key hien.UnsealKey) (hien.Phone, error) {
	sealed, under := r.get("sealed_phone"), r.get("sealed_for")
	switch {
	case sealed == "":
		return hien.Phone{}, nil
	case under == "":
		return hien.Phone{}, errors.New("there is a sealed_phone and no sealed_for, without which it does not open: export both")
	}
	phone, err := key.Open(hien.SealedPhone(sealed), consent.ID(under))
	if err != nil {
		return hien.Phone{}, fmt.Errorf("%w: another key's, another consent's, or damaged", err)
	}
	return phone, nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func were(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
