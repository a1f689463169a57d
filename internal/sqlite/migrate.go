package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// A migration leads from one schema to the next. Its number is its place:
// migrations are never edited, dropped or put between others.
type migration struct {
	name, text string
}

// migrations reads the embedded files in order.
func migrations() ([]migration, error) {
	entries, err := fs.ReadDir(migrationFiles, "migrations") // sorted by name
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, e := range entries {
		text, err := fs.ReadFile(migrationFiles, "migrations/"+e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, migration{e.Name(), string(text)})
	}
	return all, nil
}

// schemaOf reads the schema of a record: 0 for an empty file.
func schemaOf(ctx context.Context, db *sql.DB, path string) (version int, err error) {
	var tables int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return 0, err
	}
	if version < 0 || version == 0 && tables > 0 {
		return 0, &DamagedError{Path: path, Cause: errors.New("it is a database of another program")}
	}
	return version, nil
}

// migrate leads the record to the newest schema, one transaction for each
// step.
func migrate(ctx context.Context, db *sql.DB, path string) (from, to int, err error) {
	all, err := migrations()
	if err != nil {
		return 0, 0, err
	}
	from, err = schemaOf(ctx, db, path)
	if err != nil {
		return 0, 0, err
	}
	if from > len(all) {
		return from, len(all), &NewerError{Path: path, Has: from, Knows: len(all)}
	}
	for i := from; i < len(all); i++ {
		if err := step(ctx, db, all[i], i+1); err != nil {
			return from, i, fmt.Errorf("migration %s: %w", all[i].name, err)
		}
	}
	return from, len(all), nil
}

func step(ctx context.Context, db *sql.DB, m migration, version int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, m.text); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}
