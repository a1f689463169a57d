// Package otp carries one-time codes to people.
//
// A code goes by one of several ways: a Zalo message, an SMS of one of two
// providers, or the brand's own service. They are tried in the order in which
// the owner has them, until one takes the code; what each answers is one of
// four classes. Why a code did not go out is for the log and for the owner.
// Guests are told the same in every case, since the difference would tell them
// about somebody's number: whether it has Zalo, whether it blocks senders.
//
// Each provider's addresses, limits and answers stand in one file of its own
// (zbs.go, esms.go, speedsms.go), as their public documentation has them. When
// a provider changes something, that file is what changes. docs/senders.md is
// the owner's page.
//
// What is sent is a code and nothing else: no advertising (R-MKT-5, held by
// the lint in text.go), no word about the person. Neither a number nor a
// secret stands in an error or in the log, so what a provider answers in words
// is not repeated: only its code is.
package otp

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
)

// A Class is what became of a code that was given to a sender.
type Class string

// The classes. After each but OK the next sender is tried.
const (
	OK              Class = "ok"
	UserUnreachable Class = "user_unreachable" // not this number by this way: no account, switched off, refused
	RetryLater      Class = "retry_later"      // not now: no answer, a quota, an empty wallet
	ConfigError     Class = "config_error"     // not until the owner has mended something
)

// An Error is why a code did not go out. It holds neither a number nor a
// secret.
type Error struct {
	Sender string // the section's name
	Class  Class
	Answer string // the provider's code: "-118", "146", "HTTP 503"; empty if there was none
	Text   string // what it means
	Mend   string // what the owner should do; empty if nothing
}

func (e *Error) Error() string {
	text := e.Text
	if e.Answer != "" {
		text += " (" + e.Answer + ")"
	}
	if e.Mend != "" {
		text += ": " + e.Mend
	}
	return "sender " + e.Sender + ": " + text
}

// Options are one sender, as the configuration has it. Which of them a type
// needs is said in docs/configuration.md. It does not print its secrets.
type Options struct {
	Name string // the section's name
	Type string

	URL    string // of the provider or the service; empty: the provider's own
	CAFile string // certificates (PEM) to believe instead of the system's

	TokenURL   string // zbs: where tokens are renewed; empty: Zalo's own
	TokenFile  string // zbs: the file of the tokens
	AppID      string // zbs
	AppSecret  string // zbs
	Template   string // zbs: the template's number, Vietnamese
	TemplateEN string // zbs: and English; empty: the Vietnamese one
	Parameter  string // zbs: what the template calls the code
	Trial      bool   // zbs: to the account's own people only

	APIKey    string // esms
	SecretKey string // esms
	Token     string // speedsms
	Brandname string // esms, speedsms: who sends it
	SMSType   string // esms, speedsms: the provider's number for the kind of message; empty: see there

	Text   string // esms, speedsms: the message, with {code} and perhaps {shop}; empty: a default
	TextEN string // the same for guests who read English
	Origin string // esms, speedsms: the portal's host name, for a last line that lets phones fill the code in
	Shop   string // the shop's name for people

	Secret string // webhook: whsec_ and the key in base64
	Store  string // webhook: the shop's name for machines

	// Transport replaces the sender's own, in tests.
	Transport http.RoundTripper
}

// Format prints which sender it is and nothing else.
func (o Options) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[sender %s %s]", o.Type, o.Name) }

// LogValue logs what Format prints.
func (o Options) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(o)) }

// A way carries a code by one provider. nil says that it took it.
type way interface {
	send(ctx context.Context, m hien.Message) *Error
}

// Types are the senders that there are, sorted, as the configuration names
// them. "staff" is not among them: nothing is sent then, see hien.ProofStaff.
func Types() []string { return []string{"esms", "log", "speedsms", "webhook", "zbs"} }

// HoldsKeys reports whether senders of a type hold the keys of the brand's
// account with a provider.
func HoldsKeys(kind string) bool { return slices.Contains([]string{"esms", "speedsms", "zbs"}, kind) }

// carriers are the companies to which senders give a number, by type. A
// webhook's is the brand's own affair.
var carriers = map[string]string{"esms": "eSMS (ViHAT)", "speedsms": "SpeedSMS", "webhook": "", "zbs": "Zalo (VNG)"}

// Carrier is to whom a sender of a type gives a person's number, as a notice
// names them (R-CON-4): by the name that the owner has written, else the
// provider's, else whoever runs the brand's service; "" when that is not said
// either. false: it gives the number to nobody.
func Carrier(kind, written, operator string) (name string, gives bool) {
	company, gives := carriers[kind]
	if !gives {
		return "", false
	}
	return cmp.Or(written, company, operator), true
}

func newWay(o Options, log *slog.Logger) (way, error) {
	switch o.Type {
	case "log":
		return logWay{Log{log}}, nil
	case "zbs":
		return newZBS(o)
	case "esms":
		return newESMS(o)
	case "speedsms":
		return newSpeedSMS(o)
	case "webhook":
		return newWebhook(o)
	}
	return nil, fmt.Errorf("unknown type %q: want %s", o.Type, strings.Join(Types(), " or "))
}

// Log writes codes into a log, with the guest's masked MAC and never the
// number: for the demo and for trying Hiên out. Whoever reads the log can prove
// any number, so it is not for a shop. The message is "code" and the keys are
// guest and code: the demo reads them.
type Log struct {
	Log *slog.Logger
}

var _ hien.Sender = Log{}

// Send writes the code. It does not fail.
func (l Log) Send(ctx context.Context, m hien.Message) (hien.Proof, error) {
	l.Log.InfoContext(ctx, "code", "guest", m.Guest.MAC, "code", m.Code.Reveal())
	return "log", nil
}

type logWay struct{ Log }

func (l logWay) send(ctx context.Context, m hien.Message) *Error {
	l.Send(ctx, m) // which does not fail
	return nil
}
