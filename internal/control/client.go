package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"github.com/hien-wifi/hien/consent"
)

// ErrNotRunning says that no daemon answers on the socket.
var ErrNotRunning = errors.New("Hiên is not running")

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 64 << 20

// A Client asks a living daemon.
type Client struct {
	http *http.Client
}

// Dial finds the daemon with that run_dir. When there is none the error wraps
// ErrNotRunning and says what to do.
func Dial(runDir string) (*Client, error) {
	path := socketPath(runDir)
	c, err := net.Dial("unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w (no socket at %s); start it with `hien run`", ErrNotRunning, path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w (nobody answers at %s: it was killed); start it with `hien run`", ErrNotRunning, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("user %d may not open %s: ask as root", os.Geteuid(), path)
	case err != nil:
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	c.Close()
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true, // one question is all that a command asks
	}}}, nil
}

// Status asks for the state of the whole house.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "status", nil)
}

// Guests asks who is in the shop; limit is how many of the newest, 0 for
// DefaultItems. So it is for the other lists.
func (c *Client) Guests(ctx context.Context, limit int) (List[Guest], error) {
	return ask[List[Guest]](ctx, c, http.MethodGet, "guests"+query(limit), nil)
}

// Visits asks for the latest visits.
func (c *Client) Visits(ctx context.Context, limit int) (List[Visit], error) {
	return ask[List[Visit]](ctx, c, http.MethodGet, "visits"+query(limit), nil)
}

// Leads asks for the people who agreed to something.
func (c *Client) Leads(ctx context.Context, limit int) (List[Lead], error) {
	return ask[List[Lead]](ctx, c, http.MethodGet, "leads"+query(limit), nil)
}

// Consents asks for what people agreed to, as it stands.
func (c *Client) Consents(ctx context.Context, limit int) (List[Consent], error) {
	return ask[List[Consent]](ctx, c, http.MethodGet, "consents"+query(limit), nil)
}

// Queue asks for the events that are parked or on their way.
func (c *Client) Queue(ctx context.Context, limit int) (Queue, error) {
	return ask[Queue](ctx, c, http.MethodGet, "queue"+query(limit), nil)
}

// VerifyLedger has every entry of the ledger checked. A ledger that does not
// hold is no error: the answer says so.
func (c *Client) VerifyLedger(ctx context.Context) (Ledger, error) {
	return ask[Ledger](ctx, c, http.MethodGet, "ledger/verify", nil)
}

// Withdraw takes back a subject's purposes; none named means all. The answer
// says which of them stood until then.
func (c *Client) Withdraw(ctx context.Context, subject consent.ID, purposes []consent.Purpose) (Withdrawn, error) {
	return ask[Withdrawn](ctx, c, http.MethodPost, "withdraw", withdrawal{subject, purposes})
}

// Release asks the daemon to leave the kernel's rules alone, until it gets
// SIGHUP or is started again.
func (c *Client) Release(ctx context.Context) error {
	_, err := ask[released](ctx, c, http.MethodPost, "release", struct{}{})
	return err
}

func query(limit int) string {
	if limit == 0 {
		return ""
	}
	return "?limit=" + strconv.Itoa(limit)
}

func ask[T any](ctx context.Context, c *Client, method, what string, body any) (answer T, err error) {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer, fmt.Errorf("ask the daemon: %w", err)
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://hien/v1/"+what, send)
	if err != nil {
		return answer, fmt.Errorf("ask the daemon: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer, fmt.Errorf("ask the daemon: %w", err)
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode != http.StatusOK {
		var p problem
		if dec.Decode(&p) != nil || p.Error == "" {
			p.Error = "it answered " + resp.Status
		}
		return answer, fmt.Errorf("the daemon: %s", p.Error)
	}
	if err := dec.Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return answer, nil
}
