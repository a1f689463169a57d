package cdp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
)

// Options say where events go.
type Options struct {
	// URL is the base address, without /v1/batch: https, or http to a
	// loopback address.
	URL string

	// WriteKey is the source's key. It is a secret.
	WriteKey string

	// CAFile holds certificates (PEM) of the authorities to believe instead
	// of the system's; empty for the system's.
	CAFile string

	// Regulator is whose deletion API is asked to erase people too; none when
	// empty. RegulatorURL is its base address, the API's own when empty, and
	// RegulatorToken its token, a secret.
	Regulator      Regulator
	RegulatorURL   string
	RegulatorToken string

	// Transport replaces the sink's own, in tests.
	Transport http.RoundTripper
}

// A Sink sends events to a customer-data platform. It may be used by one
// goroutine at a time.
type Sink struct {
	endpoint string
	host     string
	writeKey string
	client   *http.Client

	regulator *regulator          // nil without one
	told      map[consent.ID]bool // events of which one of two requests was taken
}

// Timeouts of one request. A shop's uplink may be slow.
const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 20 * time.Second
	wholeTimeout  = 60 * time.Second
)

// New checks the options and makes a sink. It sends nothing.
func New(o Options) (*Sink, error) {
	base, err := parseBase(o.URL)
	if err != nil {
		return nil, err
	}
	if o.WriteKey == "" || strings.ContainsFunc(o.WriteKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("write_key: want the key of the source: letters, digits and signs, without spaces")
	}
	regulator, err := newRegulator(o)
	if err != nil {
		return nil, err
	}
	transport := o.Transport
	if transport == nil {
		roots, err := readRoots(o.CAFile)
		if err != nil {
			return nil, err
		}
		transport = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: answerTimeout,
			IdleConnTimeout:       30 * time.Second,
			MaxIdleConns:          2,
		}
	}
	return &Sink{
		endpoint:  base.JoinPath("v1", "batch").String(),
		host:      base.Hostname(),
		writeKey:  o.WriteKey,
		regulator: regulator,
		told:      make(map[consent.ID]bool),
		client: &http.Client{
			Transport:     transport,
			Timeout:       wholeTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, errors.New("url: want an address, as in https://cdp.example")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("url: want the address alone, without user, ? and #; the key is write_key")
	case strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/v1/batch"):
		return nil, errors.New("url: want the address without /v1/batch, which is added")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("url: want https, as what is sent is about people; %q is allowed to a loopback address only", u.Scheme)
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback() // RFC 6761 §6.3
}

func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file %s: no certificate in it; want PEM", file)
	}
	return roots, nil
}

// Confirms reports whether the receiver says so when it does not know the
// write key. Segment does not: from there "accepted" is not "confirmed", and
// the owner has to look at Segment's own page.
func (s *Sink) Confirms() bool {
	return !strings.HasSuffix("."+s.host, ".segment.io") && !strings.HasSuffix("."+s.host, ".segmentapis.com")
}

// A parcel is an event as it is sent: one call, or two.
type parcel struct {
	id    consent.ID
	calls []json.RawMessage
}

// Send makes at most one request, with the first events that fit into one
// batch. The others have no fate: a withdrawal may come while this request is
// under way, so whoever holds the queue has to look into it before the next.
//
// With a deletion API an erasure takes two requests, in two calls, and so does
// the first consent of somebody who was erased.
func (s *Sink) Send(ctx context.Context, events []hien.Event, now hien.Moment) hien.Delivery {
	if s.regulator == nil {
		return s.batch(ctx, events, now)
	}
	s.forgetTold(events)
	if head := erasures(events); len(head) > 0 {
		return s.erase(ctx, head, now)
	}
	if back := s.returning(events); len(back) > 0 {
		return s.lift(ctx, back, now)
	}
	return s.batch(ctx, events, now)
}

// batch makes at most one request for /v1/batch.
func (s *Sink) batch(ctx context.Context, events []hien.Event, now hien.Moment) hien.Delivery {
	d := hien.Delivery{Parked: make(map[consent.ID]string)}
	batch := load(events, now, d.Parked)
	if len(batch) == 0 {
		return d
	}
	a := s.post(ctx, batch, now)
	refused, all := a.refusals(batch)
	switch {
	case a.verdict == later:
		d.Retry, d.After = a.err, a.after
	case a.verdict == stop:
		d.Stop = a.err
	case (a.verdict == refusedWhole || all) && len(batch) > 1:
		d.Refused, d.Answer = len(batch), a.text
	case a.verdict == refusedWhole || all:
		d.Parked[batch[0].id] = a.text
	default:
		for _, p := range batch {
			if why, ok := refused[p.id]; ok {
				d.Parked[p.id] = why
			} else {
				d.Accepted = append(d.Accepted, p.id)
			}
		}
	}
	return d
}

// load writes the first events that fit into one batch. An event that fits
// into none is parked.
func load(events []hien.Event, now hien.Moment, parked map[consent.ID]string) []parcel {
	const frame = 512 // what stands around the calls, with room to spare
	var batch []parcel
	size, n := frame, 0
	for _, e := range events {
		calls, err := encodeEvent(e, now)
		if err != nil {
			parked[e.ID()] = "not sent: " + err.Error()
			continue
		}
		large := 0
		for _, c := range calls {
			size, large = size+len(c)+1, max(large, len(c))
		}
		switch n += len(calls); {
		case large > MaxEventBytes:
			parked[e.ID()] = fmt.Sprintf("not sent: %d bytes, and at most %d are taken", large, MaxEventBytes)
			size, n = size-large-1, n-len(calls)
		case size > MaxBatchBytes || n > MaxEvents:
			return batch
		default:
			batch = append(batch, parcel{e.ID(), calls})
		}
	}
	return batch
}

// post sends one batch and reads the answer.
func (s *Sink) post(ctx context.Context, parcels []parcel, now hien.Moment) answer {
	var calls []json.RawMessage
	for _, p := range parcels {
		calls = append(calls, p.calls...)
	}
	body, err := encodeBatch(s.writeKey, calls, now)
	if err != nil {
		return answer{verdict: stop, err: err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return answer{verdict: stop, err: err}
	}
	r.GetBody = nil                // so that the transport, too, sends it once only
	r.SetBasicAuth(s.writeKey, "") // RudderStack reads only this one, Jitsu either
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "hien/"+hien.Version)
	r.Header.Set("X-IP-Policy", "remove") // Jitsu
	response, err := s.client.Do(r)
	if err != nil {
		return answer{verdict: later, err: fmt.Errorf("send to %s: %w", s.host, withoutURL(err))}
	}
	defer response.Body.Close()
	return s.read(response, now)
}

// withoutURL is what went wrong without the address, which is told already.
func withoutURL(err error) error {
	if e := new(url.Error); errors.As(err, &e) {
		return e.Err
	}
	return err
}
