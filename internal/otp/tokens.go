package otp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hien-wifi/hien"
)

// A pair is what Zalo gives an official account: a token for requests, good for
// 25 hours, and one that renews both, good once within three months. Whoever
// loses the second one must log in by hand.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (p pair) good() bool { return goodToken(p.Access) && goodToken(p.Refresh) }

// maxToken is far more than a token has.
const maxToken = 4 << 10

func goodToken(s string) bool {
	return s != "" && len(s) <= maxToken && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// How long a renewal may take, and how soon one that was refused is tried
// again with the same token.
const (
	renewTimeout = 20 * time.Second
	renewAgain   = 10 * time.Minute
)

// tokens keep a pair in a file. New ones are written, down to the disk, before
// they are used: after a power cut the file holds the refresh token that is
// good. One renewal runs at a time, in this process and on this machine; it is
// not cut short when the guest who needed it has gone. Whether a token is over
// is told by who gets it, so no clock is needed.
type tokens struct {
	file string
	ask  func(ctx context.Context, refresh string) (pair, *Error)

	running sync.WaitGroup // the renewal under way

	mu      sync.Mutex
	now     pair     // in use, and in the file
	unsaved pair     // given by Zalo, and not in the file yet
	renewal *renewal // under way; else nil
	refused *Error   // why the last renewal failed for good
	with    string   // which refresh token
	at      time.Duration
}

type renewal struct {
	done   chan struct{}
	access string
	err    *Error
}

// get is the access token in use.
func (t *tokens) get(ctx context.Context, now hien.Moment) (string, *Error) {
	t.mu.Lock()
	access := t.now.Access
	t.mu.Unlock()
	if access != "" {
		return access, nil
	}
	return t.renew(ctx, "", now)
}

// renew is another access token than the one that is over. An empty one is the
// first of this process: then what the file has will do.
func (t *tokens) renew(ctx context.Context, over string, now hien.Moment) (string, *Error) {
	t.mu.Lock()
	if t.now.Access != over {
		defer t.mu.Unlock()
		return t.now.Access, nil // another guest's code has renewed it
	}
	r := t.renewal
	if r == nil {
		r = &renewal{done: make(chan struct{})}
		t.renewal = r
		t.running.Go(func() {
			ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), renewTimeout)
			defer stop()
			r.access, r.err = t.exchange(ctx, over, now)
			t.mu.Lock()
			t.renewal = nil
			t.mu.Unlock()
			close(r.done)
		})
	}
	t.mu.Unlock()
	select {
	case <-r.done:
		if r.err != nil {
			err := *r.err // each caller's own: the chain writes the sender's name into it
			return "", &err
		}
		return r.access, nil
	case <-ctx.Done():
		return "", &Error{Class: RetryLater, Text: "the token is being renewed"}
	}
}

// exchange does what renew promises. One runs at a time.
func (t *tokens) exchange(ctx context.Context, over string, now hien.Moment) (string, *Error) {
	unlock, err := lockDir(filepath.Dir(t.file))
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return "", &Error{Class: RetryLater, Text: "another process renews the token"}
	case err != nil:
		return "", t.unwritten(err)
	}
	defer unlock()
	if t.unsaved.Refresh == "" {
		have, err := readTokens(t.file)
		switch {
		case err != nil:
			return "", &Error{Class: ConfigError, Answer: "token_file", Text: err.Error(), Mend: "put the official account's refresh token there, alone in its line"}
		case have.Access != "" && have.Access != over: // written by another process, or by the owner
			t.use(have)
			return have.Access, nil
		case t.refused != nil && have.Refresh == t.with && now.Up-t.at < renewAgain:
			return "", t.refused
		}
		fresh, refused := t.ask(ctx, have.Refresh)
		if refused != nil {
			if refused.Class == ConfigError {
				t.refused, t.with, t.at = refused, have.Refresh, now.Up
			}
			return "", refused
		}
		t.unsaved = fresh
	}
	if err := writeTokens(t.file, t.unsaved); err != nil {
		return "", t.unwritten(err)
	}
	t.use(t.unsaved)
	t.unsaved, t.refused = pair{}, nil
	return t.now.Access, nil
}

func (t *tokens) use(p pair) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = p
}

func (t *tokens) unwritten(err error) *Error {
	return &Error{Class: ConfigError, Answer: "token_file", Text: fmt.Sprintf("the tokens cannot be written: %v", err),
		Mend: "make room, and let hien write the file and its directory; until then no Zalo message goes out"}
}

// lockDir keeps others from renewing the same token meanwhile: another process,
// or this one's senders of before its configuration was read again.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		d.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { d.Close() }, nil
}

// readTokens reads what writeTokens wrote, or a refresh token alone, as the
// owner puts it there. Tokens that were written and not put in their place, as
// a power cut may leave them, are newer.
func readTokens(file string) (pair, error) {
	if p, err := readPair(file + ".new"); err == nil && p.good() {
		if err := os.Rename(file+".new", file); err != nil {
			return pair{}, err
		}
		return p, nil
	}
	return readPair(file)
}

func readPair(file string) (pair, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return pair{}, fmt.Errorf("there is no %s", file)
	}
	if err != nil {
		return pair{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 3*maxToken))
	if err != nil {
		return pair{}, err
	}
	p, ok := parseTokens(text)
	if !ok {
		return pair{}, fmt.Errorf("%s holds no refresh token", file)
	}
	return p, nil
}

func parseTokens(text []byte) (p pair, ok bool) {
	trimmed := strings.TrimSpace(string(text))
	if !strings.HasPrefix(trimmed, "{") {
		return pair{Refresh: trimmed}, goodToken(trimmed)
	}
	if json.Unmarshal([]byte(trimmed), &p) != nil || !goodToken(p.Refresh) || p.Access != "" && !goodToken(p.Access) {
		return pair{}, false
	}
	return p, true
}

// writeTokens puts the tokens in the place of the old ones, all or nothing, and
// answers when they are on the disk.
func writeTokens(file string, p pair) (err error) {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := writeThrough(file+".new", append(text, '\n')); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func writeThrough(file string, text []byte) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Sync()
}
