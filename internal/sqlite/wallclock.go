package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/hien-wifi/hien"
)

// WallClock is what is remembered of the date; without it the date of the
// latest consent that has one.
func (s *Store) WallClock(ctx context.Context) (w hien.WallClock, err error) {
	err = s.read(ctx, "read the date", func(r reader) (err error) {
		w, err = r.wallClock(ctx)
		return err
	})
	return w, err
}

func (r reader) wallClock(ctx context.Context) (w hien.WallClock, err error) {
	last, doubt := stamp{inStep: true}, stamp{inStep: true}
	err = r.QueryRowContext(ctx, "SELECT last_wall, last_boot, last_up, doubt_wall, doubt_boot, doubt_up FROM wall_clock").
		Scan(&last.wall, &last.boot, &last.up, &doubt.wall, &doubt.boot, &doubt.up)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		err = r.QueryRowContext(ctx, "SELECT wall, boot, up FROM consents WHERE in_step = 1 ORDER BY seq DESC LIMIT 1").Scan(&last.wall, &last.boot, &last.up)
		if errors.Is(err, sql.ErrNoRows) {
			return w, nil
		}
	case err == nil && doubt.wall != 0:
		w.Doubt = doubt.moment()
	}
	w.Last = last.moment()
	return w, err
}

// KeepWallClock remembers the date.
func (s *Store) KeepWallClock(ctx context.Context, w hien.WallClock) error {
	return s.write(ctx, "keep the date", func(t *tx) error { return t.keepWallClock(ctx, w) })
}

// keepWallClock writes the date, unless it is there.
func (t *tx) keepWallClock(ctx context.Context, w hien.WallClock) error {
	last, doubt := stampOf(w.Last), stampOf(w.Doubt)
	_, err := t.exec(ctx, `INSERT INTO wall_clock VALUES (1, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET last_wall = excluded.last_wall, last_boot = excluded.last_boot, last_up = excluded.last_up,
			doubt_wall = excluded.doubt_wall, doubt_boot = excluded.doubt_boot, doubt_up = excluded.doubt_up
		WHERE last_wall <> excluded.last_wall OR doubt_wall <> excluded.doubt_wall`,
		last.wall, last.boot, last.up, doubt.wall, doubt.boot, doubt.up)
	return err
}
