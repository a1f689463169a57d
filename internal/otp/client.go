package otp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hien-wifi/hien"
)

// maxAnswer is how much of an answer is read. Those of the providers have some
// hundred bytes.
const maxAnswer = 16 << 10

// A client speaks to one provider.
type client struct {
	base *url.URL
	http *http.Client
}

// newClient makes a client for the address, or the provider's own when it is
// empty: https, or http to this machine.
func newClient(o Options, address, own string) (*client, error) {
	if address == "" {
		address = own
	}
	base, err := url.Parse(address)
	switch {
	case err != nil || base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("url: want an address without user, ? and #, as in https://codes.example/send")
	case base.Scheme != "https" && !(base.Scheme == "http" && isLoopback(base.Hostname())):
		return nil, errors.New("url: want https, as codes and numbers are sent; http is for this machine only")
	}
	transport := o.Transport
	if transport == nil {
		roots, err := readRoots(o.CAFile)
		if err != nil {
			return nil, err
		}
		transport = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: wayTimeout}).DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    wayTimeout,
			MaxResponseHeaderBytes: maxAnswer,
			IdleConnTimeout:        30 * time.Second,
			MaxIdleConns:           1,
		}
	}
	return &client{base, &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
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

// An answer is what a provider said.
type answer struct {
	status int
	body   []byte
}

// post sends a body and reads the answer. path, if there is one, comes behind
// the base address.
func (c *client) post(ctx context.Context, path, kind string, body []byte, header map[string]string) (answer, *Error) {
	address := c.base.String()
	if path != "" {
		address = c.base.JoinPath(path).String()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, &Error{Class: ConfigError, Text: "no request can be made", Mend: "look at its section in the configuration"}
	}
	r.GetBody = nil // so that the transport, too, sends it once only
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "hien/"+hien.Version)
	for name, value := range header {
		r.Header[name] = []string{value} // as the provider writes it: access_token, secret_key
	}
	response, err := c.http.Do(r)
	if err != nil {
		return answer{}, c.unreached(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, c.unreached(err)
	case len(text) > maxAnswer:
		return answer{}, &Error{Class: RetryLater, Text: fmt.Sprintf("%s answered with more than %d bytes", c.base.Host, maxAnswer)}
	}
	return answer{response.StatusCode, text}, nil
}

// postJSON posts v as JSON.
func (c *client) postJSON(ctx context.Context, path string, v any, header map[string]string) (answer, *Error) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // only an impossible type fails
	}
	return c.post(ctx, path, "application/json", body, header)
}

// unreached is why there was no answer.
func (c *client) unreached(err error) *Error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the address, which may be long
	}
	var invalid x509.CertificateInvalidError
	var untrusted *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &Error{Class: RetryLater, Text: "the certificate of " + c.base.Host + " does not hold at the router's time", Mend: "look at the router's clock with `date`"}
	case errors.As(err, &untrusted):
		return &Error{Class: ConfigError, Text: fmt.Sprintf("%s cannot be trusted: %v", c.base.Host, untrusted.Err), Mend: "look at url and ca_file"}
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return &Error{Class: RetryLater, Text: c.base.Host + " did not answer in time"}
	}
	return &Error{Class: RetryLater, Text: fmt.Sprintf("%s cannot be reached: %v", c.base.Host, err)}
}

// byStatus is what a status says when the body says nothing; nil for a 200.
func (c *client) byStatus(a answer) *Error {
	e := &Error{Answer: "HTTP " + strconv.Itoa(a.status)}
	switch {
	case a.status >= 200 && a.status < 300:
		return nil
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		e.Class, e.Text, e.Mend = ConfigError, c.base.Host+" does not take the keys", "put the right ones into the configuration"
	case a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests || a.status >= 500:
		e.Class, e.Text = RetryLater, c.base.Host+" cannot at present"
	case a.status >= 300 && a.status < 400:
		e.Class, e.Text, e.Mend = ConfigError, c.base.Host+" points to another address", "look at url: the code is sent to that address alone"
	default:
		e.Class, e.Text, e.Mend = ConfigError, c.base.Host+" does not take the request", "look at url and at the provider's own page"
	}
	return e
}

// garbled says that an answer is not what is documented. Whether the code went
// out is not known.
func (c *client) garbled() *Error {
	return &Error{Class: RetryLater, Text: c.base.Host + " answered something that is not documented"}
}

// A verdict is a row of a provider's table of answers.
type verdict struct {
	class Class
	text  string
	mend  string
}

func (v verdict) as(answer string) *Error {
	return &Error{Class: v.class, Answer: answer, Text: v.text, Mend: v.mend}
}

// A codeText is a provider's code, which comes as a number or as a text. It is
// short and plain, or empty: it goes into the log.
type codeText string

// UnmarshalJSON never fails: what is no code is none.
func (c *codeText) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if len(text) > 8 || strings.Trim(text, "-0123456789") != "" {
		text = ""
	}
	*c = codeText(text)
	return nil
}
