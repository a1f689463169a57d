package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// What is read at most. A brand of a thousand shops stays far below it.
const (
	maxInput = 512 << 20 // bytes
	maxRows  = 500_000
	maxDepth = 8 // of JSON objects; deeper ones are left as they are
)

// A field is one column of a row. raw is its JSON where the row came as JSON.
type field struct {
	name, text string
	raw        json.RawMessage
}

// A row is one lead or customer, or says why it could not be read.
type row struct {
	at     int // from 1, for people
	fields []field
	bad    error
}

// A table is what was read. Its order of columns is that of the rows.
type table struct {
	rows []row
	json bool
}

// find is the index of the column of that name, as it is or as CDPs write it
// when they flatten what was nested (traits.sealed_phone,
// CONTEXT_TRAITS_SEALED_PHONE); -1 for none.
func (r row) find(names ...string) int {
	for _, name := range names {
		for i, f := range r.fields {
			have := strings.ToLower(f.name)
			if have == name || strings.HasSuffix(have, "."+name) || strings.HasSuffix(have, "_"+name) {
				return i
			}
		}
	}
	return -1
}

// get is the text of such a column.
func (r row) get(names ...string) string {
	if i := r.find(names...); i >= 0 {
		return strings.TrimSpace(r.fields[i].text)
	}
	return ""
}

// leadKey is the person, as our own export and CDPs name the column.
func (r row) leadKey() string { return r.get("lead_key", "userid", "user_id") }

// name is the row for people: its place, and the beginning of its lead key.
func (r row) name() string {
	key := []rune(r.leadKey())
	if len(key) == 0 {
		return fmt.Sprintf("row %d", r.at)
	}
	if len(key) > 14 {
		key = append(key[:14], '…')
	}
	return fmt.Sprintf("row %d (%s)", r.at, string(key))
}

// readTable reads CSV, or JSON where the text begins like it. Rows that are
// no rows stand in it as bad ones; an error is one of the whole.
func readTable(in io.Reader) (table, error) {
	limited := &io.LimitedReader{R: in, N: maxInput + 1}
	b := bufio.NewReader(limited)
	if bom, _ := b.Peek(3); bytes.Equal(bom, []byte("\ufeff")) {
		b.Discard(3) // as spreadsheets write it
	}
	begin, err := b.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return table{}, err
	}
	var t table
	text := bytes.TrimSpace(begin)
	if t.json = len(text) > 0 && (text[0] == '{' || text[0] == '['); t.json {
		err = t.readJSON(b)
	} else {
		err = t.readCSV(b, separator(begin))
	}
	switch {
	case err != nil:
		return table{}, err
	case limited.N <= 0:
		return table{}, fmt.Errorf("there is more than %d MB to read: cut it into several files", maxInput>>20)
	case len(t.rows) > maxRows:
		return table{}, fmt.Errorf("there are more than %d rows: cut them into several files", maxRows)
	}
	return t, nil
}

func (t *table) add(r row) bool {
	r.at = len(t.rows) + 1
	t.rows = append(t.rows, r)
	return len(t.rows) <= maxRows
}

// separator is what stands between the columns of the first line: a comma, or
// what spreadsheets of other countries and databases write.
func separator(begin []byte) rune {
	line, _, _ := bytes.Cut(begin, []byte("\n"))
	best, most := ',', bytes.Count(line, []byte(","))
	for _, r := range ";\t" {
		if n := bytes.Count(line, []byte(string(r))); n > most {
			best, most = r, n
		}
	}
	return best
}

func (t *table) readCSV(in io.Reader, comma rune) error {
	r := csv.NewReader(in)
	r.Comma, r.FieldsPerRecord = comma, -1
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the first line, with the names of the columns: %w", err)
	}
	for {
		record, err := r.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &wrong):
			if !t.add(row{bad: err}) {
				return nil
			}
			continue
		case err != nil:
			return err
		}
		one := row{}
		if len(record) != len(head) {
			one.bad = fmt.Errorf("it has %d columns, and the first line names %d", len(record), len(head))
		}
		for i, text := range record[:min(len(record), len(head))] {
			one.fields = append(one.fields, field{name: head[i], text: text})
		}
		if !t.add(one) {
			return nil
		}
	}
}

// readJSON reads one value or several behind each other, as one object in each
// line.
func (t *table) readJSON(in io.Reader) error {
	d := json.NewDecoder(in)
	for {
		var v json.RawMessage
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is no JSON behind row %d: %w", len(t.rows), err)
		}
		t.rowsOf(v, 0)
		if len(t.rows) > maxRows {
			return nil
		}
	}
}

// rowsOf takes the rows out of a value: an array's elements, an object with a
// sealed number, or what an object without one holds in arrays.
func (t *table) rowsOf(v json.RawMessage, depth int) {
	if len(t.rows) > maxRows {
		return
	}
	if v = bytes.TrimSpace(v); v[0] == '[' && depth < maxDepth {
		var elements []json.RawMessage
		json.Unmarshal(v, &elements) // it was read as a value before
		for _, e := range elements {
			t.rowsOf(e, depth+1)
		}
		return
	}
	if v[0] != '{' {
		t.add(row{bad: errors.New("it is no object")})
		return
	}
	r := row{fields: flatten(nil, "", v, 0)}
	if r.find("sealed_phone") < 0 {
		inner := false
		for _, f := range r.fields {
			if e := bytes.TrimLeft(bytes.TrimPrefix(f.raw, []byte("[")), " \t\r\n"); f.raw[0] == '[' && depth < maxDepth && e[0] == '{' {
				t.rowsOf(f.raw, depth+1)
				inner = true
			}
		}
		if inner {
			return
		}
	}
	t.add(r)
}

// flatten lists what an object holds, in its order, with objects in it as
// "outer.inner".
func flatten(to []field, prefix string, object json.RawMessage, depth int) []field {
	d := json.NewDecoder(bytes.NewReader(object))
	d.Token() // {
	for d.More() {
		name, _ := d.Token()
		var v json.RawMessage
		if d.Decode(&v) != nil {
			break // it was read as a value before
		}
		full := prefix + fmt.Sprint(name)
		if v[0] == '{' && depth < maxDepth {
			to = flatten(to, full+".", v, depth+1)
			continue
		}
		to = append(to, field{full, textOf(v), v})
	}
	return to
}

// textOf is a JSON value as a cell of a table.
func textOf(v json.RawMessage) string {
	var text string
	var list []string
	switch {
	case string(v) == "null":
		return ""
	case json.Unmarshal(v, &text) == nil:
		return text
	case json.Unmarshal(v, &list) == nil:
		return strings.Join(list, " ")
	}
	return string(v)
}

// write writes the good rows as CSV or as a JSON array.
func (t table) write(out io.Writer, asJSON bool) error {
	if asJSON {
		return t.writeJSON(out)
	}
	var columns []string
	place := map[string]int{}
	for _, r := range t.rows {
		for _, f := range r.fields {
			if _, ok := place[f.name]; !ok {
				place[f.name] = len(columns)
				columns = append(columns, f.name)
			}
		}
	}
	w := csv.NewWriter(out)
	if len(columns) > 0 {
		w.Write(columns) // its error is kept for Flush
	}
	for _, r := range t.rows {
		record := make([]string, len(columns))
		for _, f := range r.fields {
			record[place[f.name]] = f.text
		}
		w.Write(record)
	}
	w.Flush()
	return w.Error()
}

func (t table) writeJSON(out io.Writer) error {
	var b bytes.Buffer
	b.WriteString("[")
	for i, r := range t.rows {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  {")
		for j, f := range r.fields {
			if j > 0 {
				b.WriteString(", ")
			}
			name, err := json.Marshal(f.name)
			if err != nil {
				return err
			}
			value := f.raw
			if value == nil {
				if value, err = json.Marshal(f.text); err != nil {
					return err
				}
			}
			b.Write(name)
			b.WriteString(": ")
			b.Write(value)
		}
		b.WriteString("}")
		if b.Len() > 1<<20 {
			if _, err := b.WriteTo(out); err != nil {
				return err
			}
		}
	}
	b.WriteString("\n]\n")
	_, err := b.WriteTo(out)
	return err
}
