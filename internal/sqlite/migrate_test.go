package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	all, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all {
		if !strings.HasPrefix(m.name, fmt.Sprintf("%04d_", i+1)) {
			t.Errorf("migration %d is %s", i+1, m.name)
		}
		if lines := strings.SplitN(m.text, "\n", 3); !strings.HasPrefix(lines[0], "-- before:") || !strings.HasPrefix(lines[1], "-- after:") {
			t.Errorf("%s does not begin with what was before and what is after", m.name)
		}
	}
}

// Each schema has a dump in testdata that is never rewritten: a record as a
// router of that time left it. Each must open today with nothing lost.
func TestARecordOfEverySchemaMigratesWithItsRows(t *testing.T) {
	all, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for version := 1; version <= len(all); version++ {
		t.Run(fmt.Sprintf("schema %d", version), func(t *testing.T) {
			name := filepath.Join("testdata", fmt.Sprintf("schema-%d.sql", version))
			dump, err := os.ReadFile(name)
			if *update && errors.Is(err, fs.ErrNotExist) {
				dump, err = writeDump(t, name, version), nil
			}
			if err != nil {
				t.Fatalf("%v (run the test with -update to write the dump of a new schema)", err)
			}
			path := filepath.Join(t.TempDir(), FileName)
			queue := restore(t, path, string(dump))

			s := reopen(t, path)
			want(t, "schema", number(t, s, "PRAGMA user_version"), len(all))
			entries := 4
			if version >= 9 {
				entries = 6
			}
			want(t, "entries", number(t, s, "SELECT count(*) FROM ledger"), entries)
			verify(t, s)
			if version >= 2 {
				m, err := s.Member(t.Context(), mark(1))
				if err != nil {
					t.Fatal(err)
				}
				want(t, "member", m.Key, lead(1))
				want(t, "visits", m.Visits, 2)
				if _, err := s.Receipt(t.Context(), receipt("c3")); err != nil {
					t.Error(err)
				}
			}
			if version >= 3 {
				want(t, "events in the dump", len(queue) > 0, true)
				wantList(t, "queue", ids(batch(t, s, at(400))), queue...)
				want(t, "waiting", waiting(t, s), len(queue))
			}
			if version >= 5 {
				deeds, err := s.Audit(t.Context(), 10)
				if err != nil || len(deeds) != 2 || deeds[1].What != hien.DidOpen || deeds[1].Who != "lan" || deeds[1].About != "2h" {
					t.Errorf("the audit: %+v, %v", deeds, err)
				}
			}
			if version >= 9 {
				if day, buried, err := s.Buried(t.Context(), lead(4)); !buried || day != "2026-10-01" || err != nil {
					t.Errorf("the tombstone: %q, %t, %v", day, buried, err)
				}
			}
			optIn(t, s, application{id: "today", person: 50, device: 50, agreed: []consent.Purpose{visits, zalo}, at: at(400)})
			verify(t, s)
		})
	}
}

// restore makes a record of a dump and reads its queue, as it goes.
func restore(t *testing.T, path, dump string) (queue []consent.ID) {
	t.Helper()
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	db := openDB(settings{path: path, journal: wal})
	defer db.Close()
	if _, err := db.Exec(dump); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query("SELECT id FROM events ORDER BY kind <> 'erasure', kind <> 'withdrawal', seq")
	if err != nil {
		return nil // there was no queue yet
	}
	defer rows.Close()
	for rows.Next() {
		var id consent.ID
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		queue = append(queue, id)
	}
	return queue
}

// writeDump writes a record as schema version has it: three people, one of
// whom withdrew, and their visits and events; since schema 9 also one who was
// erased.
func writeDump(t *testing.T, name string, version int) []byte {
	s := begin(t)
	optIn(t, s, application{id: "c1", person: 1, device: 1, agreed: []consent.Purpose{visits, zalo}, at: at(0)})
	optIn(t, s, application{id: "c2", person: 2, device: 2, agreed: []consent.Purpose{zalo}, at: at(10)})
	optIn(t, s, application{id: "c3", person: 3, device: 3, agreed: []consent.Purpose{visits, sms}, at: at(20)})
	endStays(t, s, at(60), stay(1, 0, 40, "c1"), stay(3, 20, 45, "c3"))
	endStays(t, s, at(300), stay(1, 200, 240, ""))
	if err := takeBack(t.Context(), s, hien.Who{Receipt: receipt("c3")}, at(301)); err != nil {
		t.Fatal(err)
	}
	if version >= 9 {
		optIn(t, s, application{id: "c4", person: 4, device: 4, agreed: []consent.Purpose{visits, zalo}, at: at(302)})
		erase(t, s, hien.Who{Receipt: receipt("c4")}, at(303))
	}

	for _, d := range []hien.Deed{{At: at(30), Who: "lan", What: hien.DidOpen, About: "2h"}, {At: at(150), Who: "hien", What: hien.DidEndOpen}} {
		if err := s.Note(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}

	path := filepath.Join(t.TempDir(), "old.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	old := openDB(settings{path: path, journal: truncate})
	defer old.Close()
	all, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range all[:version] {
		if err := step(t.Context(), old, m, i+1); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- A record of schema %d.\nPRAGMA foreign_keys = OFF;\n", version)
	for _, row := range rowsOf(t, old, "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid") {
		fmt.Fprintf(&b, "\n%s;\n", row[2])
		if row[0] != "table" {
			continue
		}
		var quoted []string
		for _, column := range rowsOf(t, old, "SELECT name FROM pragma_table_info('"+row[1]+"')") {
			quoted = append(quoted, "quote("+column[0]+")")
		}
		for _, values := range rowsOf(t, s.db, "SELECT "+strings.Join(quoted, ", ")+" FROM "+row[1]) {
			fmt.Fprintf(&b, "INSERT INTO %s VALUES (%s);\n", row[1], strings.Join(values, ", "))
		}
	}
	fmt.Fprintf(&b, "\nPRAGMA user_version = %d;\nPRAGMA foreign_keys = ON;\n", version)
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

func rowsOf(t *testing.T, db *sql.DB, query string) (all [][]string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row := make([]string, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}

func TestAMigrationThatFailsChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	db := openDB(settings{path: path, journal: wal})
	defer db.Close()
	ctx := context.Background()
	if err := step(ctx, db, migration{"0001_half.sql", "CREATE TABLE half (n); INSERT INTO none VALUES (1);"}, 1); err == nil {
		t.Fatal("got no error")
	}
	version, err := schemaOf(ctx, db, path)
	if err != nil || version != 0 {
		t.Errorf("schema: got %d, %v, want 0", version, err)
	}
}
