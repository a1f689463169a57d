package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
)

// leadkeys is `hien-unseal leadkeys`: the brand's own customers, as its routers
// would name them.
func leadkeys(c *call) error {
	keyFile := c.flags.String("brand-key", "", "the `FILE` of the brand key (default: it is asked for)")
	column := c.flags.String("column", "", "the `NAME` of the column with numbers; without it each line is one number")
	format, out := c.formatFlag(), c.outFlag()
	keep := c.flags.Bool("keep-number", false, "write the number as well: the file is then one of readable numbers")
	if err := c.parse(1); err != nil {
		return err
	}
	if err := c.checkFormat(*format); err != nil {
		return err
	}
	keys, err := c.brandKeys(*keyFile)
	if err != nil {
		return err
	}
	var t table
	if *column == "" {
		t, err = c.readLines()
	} else {
		t, err = c.read()
	}
	if err != nil {
		return err
	}
	name := *column
	if name == "" {
		name = "number"
	}
	if *keep {
		fmt.Fprint(c.err, warning)
	}
	moved := 0
	bad, empty := c.each(&t, func(r *row) (bool, error) {
		i := slices.IndexFunc(r.fields, func(f field) bool { return f.name == name })
		if i < 0 {
			return false, fmt.Errorf("there is no column %q: --column names it as the first line does", name)
		}
		if strings.TrimSpace(r.fields[i].text) == "" {
			return false, nil
		}
		phone, old, err := customer(r.fields[i].text)
		if err != nil {
			return false, err
		}
		if old {
			moved++
		}
		made := []field{{name: "lead_key", text: string(keys.Current().LeadKey(phone))}}
		for n, k := range keys.Previous() {
			made = append(made, field{name: previousName(n), text: string(k.LeadKey(phone))})
		}
		if *keep {
			i++
		} else {
			r.fields = slices.Delete(r.fields, i, i+1)
		}
		r.fields = slices.Insert(r.fields, i, made...)
		return true, nil
	})
	if err := c.writeRows(t, *format, *out); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "%s of brand key k%d made (%s from before 2018);\n%s could not be read; %s without a number %s left out.\n",
		count(len(t.rows), "lead key", "lead keys"), keys.Current().Version(), count(moved, "number", "numbers"), count(bad, "row", "rows"), count(empty, "row", "rows"), were(empty))
	if bad > 0 {
		return errSome
	}
	return nil
}

// previousName is the column of the lead key by the nth key behind the current
// one.
func previousName(n int) string {
	if n == 0 {
		return "previous_lead_key"
	}
	return fmt.Sprintf("previous_lead_key_%d", n+1)
}

// customer reads a number as a brand may have it in its books, old says that
// it is from before the change of 2018.
func customer(text string) (p hien.Phone, old bool, err error) {
	p, err = hien.ParsePhone(text)
	var wrong *hien.PhoneError
	if errors.As(err, &wrong) && wrong.Reason == hien.PhoneMoved {
		return wrong.New, true, nil
	}
	return p, false, err // its text says why and repeats nothing
}

// readLines reads one number in each line. The rows name the line.
func (c *call) readLines() (table, error) {
	var t table
	err := c.withInput(func(in io.Reader) error {
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			n := len(t.rows) + 1
			if !t.add(row{fields: []field{{name: "line", text: fmt.Sprint(n)}, {name: "number", text: strings.TrimPrefix(lines.Text(), "\ufeff")}}}) {
				return fmt.Errorf("there are more than %d lines: cut them into several files", maxRows)
			}
		}
		return lines.Err()
	})
	return t, err
}

// rotate is `hien-unseal rotate`: what each lead was called, and is now.
func rotate(c *call) error {
	keyFile := c.flags.String("key", "", "the `FILE` of the unseal key (default: it is asked for)")
	brandFile := c.flags.String("brand-key", "", "the `FILE` of the brand keys, the new one in front (default: it is asked\n        for, which takes one key only)")
	oldFile := c.flags.String("old-brand-key", "", "the `FILE` of the old brand key, when it is not in the other one")
	out := c.outFlag()
	if err := c.parse(1); err != nil {
		return err
	}
	unseal, err := c.unsealKey(*keyFile)
	if err != nil {
		return err
	}
	keys, err := c.brandKeys(*brandFile)
	if err != nil {
		return err
	}
	before := keys.Previous()
	if *oldFile != "" {
		old, err := c.brandKeys(*oldFile)
		if err != nil {
			return err
		}
		before = append(append(before[:len(before):len(before)], old.Current()), old.Previous()...)
	}
	if len(before) == 0 {
		return errors.New("there is no old brand key: name its file with --old-brand-key, or put its line behind the new one")
	}
	t, err := c.read()
	if err != nil {
		return err
	}
	var pairs [][2]string
	already := 0
	bad, none := c.each(&t, func(r *row) (bool, error) {
		phone, err := opened(*r, unseal)
		if err != nil || phone.IsZero() {
			return false, err
		}
		is := r.leadKey()
		now := string(keys.Current().LeadKey(phone))
		for _, k := range before {
			if is == string(k.LeadKey(phone)) {
				pairs = append(pairs, [2]string{is, now})
				return true, nil
			}
		}
		if is != now {
			return false, errors.New("its lead key is of none of the brand keys")
		}
		already++
		return true, nil
	})
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	pairs = slices.Compact(pairs) // a lead can stand in several rows
	err = c.writeTo(*out, func(w io.Writer) error {
		table := csv.NewWriter(w)
		table.Write([]string{"old_lead_key", "new_lead_key"})
		for _, p := range pairs {
			table.Write(p[:])
		}
		table.Flush()
		return table.Error()
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.err, "Leads with a new lead key: %d; with the new key already: %d; that could not be\ndone: %d. Without a sealed number, so that they keep the old key until they come\nback: %d.\n",
		len(pairs), already, bad, none)
	if bad > 0 {
		return errSome
	}
	return nil
}
