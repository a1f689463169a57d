package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/world"
)

// An event is what the demo reads of an event that the platform received.
type event struct {
	Type   string `json:"type"`
	Event  string `json:"event"`
	User   string `json:"userId"`
	Traits struct {
		Purpose   string           `json:"purpose"`
		Sealed    hien.SealedPhone `json:"sealed_phone"`
		SealedFor consent.ID       `json:"sealed_for"`
	} `json:"traits"`
	Properties struct {
		Purpose   string   `json:"purpose"`
		Withdrawn []string `json:"withdrawn"`
	} `json:"properties"`
}

func (s *story) received() ([]event, error) { return decode(s.world.CDP.Events()) }

func decode(raw []json.RawMessage) ([]event, error) {
	events := make([]event, len(raw))
	for i, r := range raw {
		if err := json.Unmarshal(r, &events[i]); err != nil {
			return nil, fmt.Errorf("event %d at the CDP: %w", i+1, err)
		}
	}
	return events, nil
}

// scan looks for a number that was typed, in every usual encoding, in all that the gateway
// wrote: its files, its log, and what it sent. It answers how many files it
// read. As a control it finds the same number in a file planted on purpose.
func (s *story) scan(typed string) (int, error) {
	log := filepath.Join(s.gateway.Dir, "log")
	if err := os.WriteFile(log, []byte(strings.Join(s.gateway.Daemon.Lines(), "\n")), 0o600); err != nil {
		return 0, err
	}
	var sent bytes.Buffer
	for _, b := range s.world.CDP.Batches() {
		sent.Write(b.Body)
	}
	if err := os.WriteFile(filepath.Join(s.gateway.Dir, "sent"), sent.Bytes(), 0o600); err != nil {
		return 0, err
	}
	number, err := hien.ParsePhone(typed)
	if err != nil {
		return 0, err
	}
	search := world.NewNumberScan(number.Reveal())
	found, files, err := search.Dir(s.gateway.Dir)
	if err != nil {
		return files, err
	}
	temporary, more, err := search.Dir(os.TempDir()) // the world's own; it was empty
	if err != nil {
		return files, err
	}
	files, found = files+more, append(found, temporary...)
	if len(found) > 0 {
		return files, fmt.Errorf("the number is readable in %s", strings.Join(found, ", "))
	}
	planted := filepath.Join(s.gateway.DataDir(), "planted")
	if err := os.WriteFile(planted, []byte("to "+number.Reveal()+"\n"), 0o600); err != nil {
		return files, err
	}
	if found, _, err := search.Dir(s.gateway.Dir); err != nil || len(found) != 1 {
		return files, fmt.Errorf("the scan found a planted number in %d files: it proves nothing (%v)", len(found), err)
	}
	return files, os.Remove(planted)
}

// keep copies what an engineer wants to see afterwards.
func (s *story) keep(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var errs []error
	if s.gateway != nil && s.gateway.Daemon != nil {
		errs = append(errs, os.WriteFile(filepath.Join(folder, "hien.log"), []byte(strings.Join(s.gateway.Daemon.Lines(), "\n")+"\n"), 0o644))
	}
	if s.world != nil && s.world.CDP != nil {
		text, err := json.MarshalIndent(s.world.CDP.Events(), "", "  ")
		errs = append(errs, err, os.WriteFile(filepath.Join(folder, "cdp.json"), text, 0o644))
	}
	return errors.Join(errs...)
}
