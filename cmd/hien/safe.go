package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hien-wifi/hien"
)

// Safe mode is for a daemon that keeps crashing, and would do so for ever as
// the system starts it again and again: whatever breaks it is most likely in
// its record, in frames of guests, or in what it sends. It then greets and
// lets in, and asks nothing: access never depends on consent.
const (
	safeCrashes = 3
	safeWithin  = 10 * time.Minute
)

// errSafe is why the record is closed in safe mode.
var errSafe = errors.New("safe mode, after three crashes within ten minutes: guests are greeted and let in, and nothing is asked, looked at or sent; look at the log, then start hien again after ten minutes")

// A startBook notes the daemon's starts in run_dir. It is there as long as the
// daemon runs, and stays when that ends in any way but its own.
type startBook struct {
	path string
}

type started struct {
	Boot string        `json:"boot"`
	Up   time.Duration `json:"up_ns"`
}

// begin notes a start, and reports whether those before it ended so badly and
// so soon that this one should be in safe mode. A book that cannot be read or
// written counts for none: it must not keep the daemon from starting.
func (b startBook) begin(now hien.Moment) (safe bool) {
	var before []started
	if text, err := os.ReadFile(b.path); err == nil {
		if json.Unmarshal(text, &before) != nil {
			before = nil // cut off by a crash
		}
	}
	before = slices.DeleteFunc(before, func(s started) bool { return s.Boot != now.Boot || now.Up-s.Up > safeWithin || s.Up > now.Up })
	text, err := json.Marshal(append(before[max(0, len(before)-safeCrashes):], started{now.Boot, now.Up}))
	if err == nil {
		os.WriteFile(b.path, text, 0o600)
	}
	return len(before) >= safeCrashes
}

// end notes that the daemon ended by itself.
func (b startBook) end() {
	if err := os.Remove(b.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		os.Truncate(b.path, 0)
	}
}

func startsOf(runDir string) startBook { return startBook{filepath.Join(runDir, "starts")} }

// safeMode is what status says of it.
func (d *daemon) safeMode() string {
	if !d.safe {
		return ""
	}
	return fmt.Sprintf("since %s", d.started.Wall.Local().Format("15:04"))
}
