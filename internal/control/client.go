package control

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/inventory"
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

// GuestsInFull is Guests with whole hardware addresses.
func (c *Client) GuestsInFull(ctx context.Context, limit int) (List[Guest], error) {
	return ask[List[Guest]](ctx, c, http.MethodGet, "guests"+cmp.Or(query(limit), "?limit="+strconv.Itoa(DefaultItems))+"&full=1", nil)
}

// Audit asks for what was done by hand.
func (c *Client) Audit(ctx context.Context, limit int) (List[Deed], error) {
	return ask[List[Deed]](ctx, c, http.MethodGet, "audit"+query(limit), nil)
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

// ExportLedger writes the ledger to w, as consent.WriteExport does. One that
// was cut off is an error.
func (c *Client) ExportLedger(ctx context.Context, w io.Writer) error {
	_, err := c.stream(ctx, w, http.MethodGet, "ledger/export", nil)
	return err
}

// stream writes a long answer to w as it comes, and answers its header.
func (c *Client) stream(ctx context.Context, w io.Writer, method, what string, body any) (http.Header, error) {
	resp, err := c.send(ctx, method, what, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refused(resp, json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)))
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return resp.Header, nil
}

// refused is what the daemon answered in the place of what was asked for.
func refused(resp *http.Response, dec *json.Decoder) error {
	var p problem
	if dec.Decode(&p) != nil || p.Error == "" {
		p.Error = "it answered " + resp.Status
	}
	return fmt.Errorf("the daemon: %s", p.Error)
}

// send asks, and answers whatever came back.
func (c *Client) send(ctx context.Context, method, what string, body any) (*http.Response, error) {
	var send io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("ask the daemon: %w", err)
		}
		send = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://hien/v1/"+what, send)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	return resp, nil
}

// StaffCode asks for the code that the shop's till shows now.
func (c *Client) StaffCode(ctx context.Context) (StaffCode, error) {
	return ask[StaffCode](ctx, c, http.MethodGet, "staff-code", nil)
}

// Notice asks for the notice that was shown under a hash that begins so.
func (c *Client) Notice(ctx context.Context, begin string) (Notice, error) {
	return ask[Notice](ctx, c, http.MethodGet, "notice?hash="+url.QueryEscape(begin), nil)
}

// Inventory asks what is kept of people.
func (c *Client) Inventory(ctx context.Context) (inventory.Inventory, error) {
	return ask[inventory.Inventory](ctx, c, http.MethodGet, "inventory", nil)
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

// Admit asks for a pass for a device.
func (c *Client) Admit(ctx context.Context, o Order) (Done, error) {
	return ask[Done](ctx, c, http.MethodPost, "admit", o)
}

// Revoke asks for a device's pass to be taken away.
func (c *Client) Revoke(ctx context.Context, o Order) (Done, error) {
	return ask[Done](ctx, c, http.MethodPost, "revoke", o)
}

// Open asks for the door to be open to everybody for d, and EndOpen to end
// that.
func (c *Client) Open(ctx context.Context, who string, d time.Duration) (Opened, error) {
	return ask[Opened](ctx, c, http.MethodPost, "open", opening{who, int64(d / time.Second)})
}

// EndOpen ends what Open began.
func (c *Client) EndOpen(ctx context.Context, who string) error {
	_, err := ask[Opened](ctx, c, http.MethodPost, "open", opening{who, 0})
	return err
}

// Reload asks the daemon to read its configuration again, because of what was
// done to it by hand; the zero Deed is none.
func (c *Client) Reload(ctx context.Context, who string, did Deed) error {
	_, err := ask[reloaded](ctx, c, http.MethodPost, "reload", reloading{who, did.What, did.About})
	return err
}

func query(limit int) string {
	if limit == 0 {
		return ""
	}
	return "?limit=" + strconv.Itoa(limit)
}

func ask[T any](ctx context.Context, c *Client, method, what string, body any) (answer T, err error) {
	resp, err := c.send(ctx, method, what, body)
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode != http.StatusOK {
		return answer, refused(resp, dec)
	}
	if err := dec.Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return answer, nil
}
