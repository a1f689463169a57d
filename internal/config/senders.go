package config

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/otp"
	"github.com/hien-wifi/hien/internal/uci"
)

// staff is the type of the sender that sends nothing: the shop's till shows the
// code.
const staff = "staff"

// A Sender carries codes to people. Which fields a type has is said in
// senderOptions.
type Sender struct {
	Name    string
	Type    string // see senderTypes
	Carrier string // to whom it gives a number, by name; empty: see otp.Carrier

	URL    string
	CAFile string

	TokenURL   string
	TokenFile  string
	AppID      string
	AppSecret  Secret
	Template   string
	TemplateEN string
	Parameter  string
	Trial      bool

	APIKey    Secret
	SecretKey Secret
	Token     Secret
	Brandname string
	SMSType   string
	Text      string
	TextEN    string
	Origin    string

	Secret Secret
}

// senderTypes are the types of senders.
func senderTypes() []string {
	types := append(otp.Types(), staff)
	slices.Sort(types)
	return types
}

// senderOptions are the options that a type needs, and those that it may have.
var senderOptions = map[string]struct{ needs, takes string }{
	"log":      {"", ""},
	staff:      {"", ""},
	"zbs":      {"app_id app_secret template_id", "template_id_en template_param token_file trial url token_url ca_file carrier"},
	"esms":     {"api_key secret_key", "brandname sms_type text text_en origin url ca_file carrier"},
	"speedsms": {"token", "brandname sms_type text text_en origin url ca_file carrier"},
	"webhook":  {"url secret", "ca_file carrier"},
}

// takers are the types that an option belongs to.
func takers(name string) (types []string) {
	for kind, o := range senderOptions {
		if slices.Contains(strings.Fields(o.needs+" "+o.takes), name) {
			types = append(types, kind)
		}
	}
	slices.Sort(types)
	return types
}

// senderKind is a carrier of codes.
func senderKind() kind[Sender] {
	const keyAllowed = "1 to 256 letters, digits and signs of ASCII without a space"
	key := func(to *Secret, v string) bool { *to = NewSecret(v); return len(v) <= 256 && ascii(v) }
	word := func(to *string, v string, most int) bool { *to = v; return len(v) <= most && ascii(v) }
	textHint := func(v string) string {
		if err := otp.LintText(v, ""); err != nil {
			return err.Error()
		}
		return ""
	}
	text := func(to *string, v string) bool { *to = v; return textHint(v) == "" }
	return kind[Sender]{typ: "sender", example: "code", manual: "How a one-time code reaches a guest's phone; [senders.md](senders.md) says which one to take, and how to set each up. Those that there are are tried in the order of the file, until one takes the code. Without any no number is asked, and the portal greets and lets in. Which options belong to which type stands before each.", options: []option[Sender]{
		{name: "type", must: true, allowed: words(senderTypes()),
			manual: "`zbs`: a template message of Zalo's. `esms`, `speedsms`: an SMS by eSMS or SpeedSMS. These three hold the brand's keys and need `option single_shop '1'`. `webhook`: the brand's own service sends the code. `staff`: nothing is sent, the shop's till shows a code that changes (`hien staff-code`); it comes last, and proves no number. `log` writes the code and the guest's masked MAC into the system's log: for trials only, since it proves no number.",
			set:    func(s *Sender, v string) bool { return setOneOf(&s.Type, v, senderTypes()...) }},
		{name: "url", secret: true, allowed: "an https address without user, query and fragment; http to this machine only",
			manual: "`webhook`: the address of the brand's service. Else the provider's, if it is another than its own.",
			set:    func(s *Sender, v string) bool { return setURL(&s.URL, v) }},
		{name: "ca_file", allowed: pathAllowed,
			manual: "All but `log` and `staff`: the certificates (PEM) that the other side's certificate is checked against. Without it, the system's.",
			set:    func(s *Sender, v string) bool { return setPath(&s.CAFile, v) }},
		{name: "carrier", allowed: textAllowed(80),
			manual: fmt.Sprintf("All but `log` and `staff`: who is given a guest's number to send the code, by name. It stands in the notice, where all of them together have room for %d characters. `webhook`: whoever runs the brand's service, or sends the message for it; without it that is the shop's `operator`, and without either nothing is asked. `zbs`, `esms`, `speedsms`: somebody else than Zalo (VNG), eSMS (ViHAT) and SpeedSMS, which are named without it.", maxCarriers),
			set:    func(s *Sender, v string) bool { return setText(&s.Carrier, v, 80) }},
		{name: "app_id", allowed: "the number of the application",
			manual: "`zbs`: the application at developers.zalo.me, linked with the official account.",
			set: func(s *Sender, v string) bool {
				s.AppID = v
				return len(v) <= 32 && strings.Trim(v, "0123456789") == ""
			}},
		{name: "app_secret", secret: true, allowed: keyAllowed,
			manual: "`zbs`: the application's secret.",
			set:    func(s *Sender, v string) bool { return key(&s.AppSecret, v) }},
		{name: "template_id", allowed: "the number of the template",
			manual: "`zbs`: the template, approved as authentication, with the code alone in it.",
			set:    func(s *Sender, v string) bool { return word(&s.Template, v, 32) }},
		{name: "template_id_en", allowed: "the number of the template",
			manual: "`zbs`: the same in English, for guests who read English. Without it they get the other one.",
			set:    func(s *Sender, v string) bool { return word(&s.TemplateEN, v, 32) }},
		{name: "template_param", unset: "otp", allowed: "what the template calls the code",
			manual: "`zbs`: what the template calls the code.",
			set:    func(s *Sender, v string) bool { return word(&s.Parameter, v, 36) }},
		{name: "token_file", unset: "/etc/hien/zbs.token", allowed: pathAllowed,
			manual: "`zbs`: the file of the official account's tokens, mode 0600, in a directory that Hiên can write. Put the refresh token there, alone in its line; Hiên renews it from then on, and no other program may use it.",
			set:    func(s *Sender, v string) bool { return setPath(&s.TokenFile, v) }},
		{name: "token_url", secret: true, allowed: "an https address without user, query and fragment; http to this machine only",
			manual: "`zbs`: where tokens are renewed, if it is another address than Zalo's own.",
			set:    func(s *Sender, v string) bool { return setURL(&s.TokenURL, v) }},
		{name: "trial", unset: "0", allowed: "1 or 0",
			manual: "`zbs`: send to the people of the application and the official account only, as Zalo allows before the template is approved.",
			set:    func(s *Sender, v string) bool { return setBool(&s.Trial, v) }},
		{name: "api_key", secret: true, allowed: keyAllowed,
			manual: "`esms`: the account's ApiKey.",
			set:    func(s *Sender, v string) bool { return key(&s.APIKey, v) }},
		{name: "secret_key", secret: true, allowed: keyAllowed,
			manual: "`esms`: the account's SecretKey.",
			set:    func(s *Sender, v string) bool { return key(&s.SecretKey, v) }},
		{name: "token", secret: true, allowed: keyAllowed,
			manual: "`speedsms`: the account's access token.",
			set:    func(s *Sender, v string) bool { return key(&s.Token, v) }},
		{name: "brandname", allowed: "1 to 32 signs of ASCII",
			manual: "`esms`, `speedsms`: the registered name under which the SMS comes. `esms` needs it unless sms_type is 8.",
			set: func(s *Sender, v string) bool {
				s.Brandname = v
				return len(v) <= 32 && ascii(strings.ReplaceAll(v, " ", ""))
			}},
		{name: "sms_type", allowed: "2, 3, 4, 5 or 8",
			manual: "`esms`: `2` by brandname, `8` from a fixed number; without it 2. `speedsms`: `2` from a number that changes, `3` by brandname, `4` by SpeedSMS's own name, `5` from the account's own telephone; without it 3 with a brandname and else 4.",
			set:    func(s *Sender, v string) bool { return setOneOf(&s.SMSType, v, "2", "3", "4", "5", "8") }},
		{name: "text", allowed: "a text with {code} in it", hint: textHint,
			manual: "`esms`, `speedsms`: the message, with `{code}` and perhaps `{shop}` in it, without Vietnamese signs, in one SMS. A brandname's wording is registered with the networks: write it as it is there. Advertising is refused. Without it, and without text_en: `" + otp.DefaultText + "`",
			set:    func(s *Sender, v string) bool { return text(&s.Text, v) }},
		{name: "text_en", allowed: "a text with {code} in it", hint: textHint,
			manual: "The same for guests who read English. With one of the two texts everybody gets that one. Without both: `" + otp.DefaultTextEN + "`",
			set:    func(s *Sender, v string) bool { return text(&s.TextEN, v) }},
		{name: "origin", allowed: "a host name in lowercase with a dot in it, of at most 200 characters, as in wifi.example.com", hint: nameHint,
			manual: "`esms`, `speedsms`: a zone's api_name. A last line (`@wifi.example.com #123456`) then lets phones fill in the code on that page. Leave it out where the registered wording has no such line.",
			set:    func(s *Sender, v string) bool { return setHostName(&s.Origin, v) }},
		{name: "secret", secret: true, allowed: "whsec_ and 24 to 64 bytes in base64",
			manual: "`webhook`: the key under which requests are signed (Standard Webhooks), which the service knows too. `head -c 32 /dev/urandom | base64` makes one; put `whsec_` before it.",
			set:    func(s *Sender, v string) bool { return key(&s.Secret, v) }},
	}}
}

// senderAt is a sender and its lines, for what is held against each other.
type senderAt struct {
	Sender
	section uci.Section
}

// Codes are the senders that send something, in their order, as otp.New takes
// them. Without any, none is to be made.
func (c *Config) Codes() (all []otp.Options) {
	for _, s := range c.Senders {
		if s.Type != staff {
			all = append(all, c.options(s))
		}
	}
	return all
}

// StaffCode reports whether the code of the shop's till is taken.
func (c *Config) StaffCode() bool {
	return slices.ContainsFunc(c.Senders, func(s Sender) bool { return s.Type == staff })
}

// maxCarriers is how long the names of all carriers are together, in
// characters, so that the notice's page stays below 14 KB: the three providers
// and an operator.
const maxCarriers = 160

// carriers are who is given a number to send it a code, by name, each once and
// in the order of the senders; "" is one that nobody has named yet (R-CON-4).
func (c *Config) carriers() (names []string) {
	for _, s := range c.Senders {
		if name, gives := otp.Carrier(s.Type, s.Carrier, c.Controller.Operator); gives && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (c *Config) options(s Sender) otp.Options {
	return otp.Options{Name: s.Name, Type: s.Type, URL: s.URL, CAFile: s.CAFile,
		TokenURL: s.TokenURL, TokenFile: s.TokenFile, AppID: s.AppID, AppSecret: s.AppSecret.Reveal(),
		Template: s.Template, TemplateEN: s.TemplateEN, Parameter: s.Parameter, Trial: s.Trial,
		APIKey: s.APIKey.Reveal(), SecretKey: s.SecretKey.Reveal(), Token: s.Token.Reveal(), Brandname: s.Brandname, SMSType: s.SMSType,
		Text: s.Text, TextEN: s.TextEN, Origin: s.Origin, Shop: c.StoreName, Secret: s.Secret.Reveal(), Store: c.StoreID}
}

// oneSender holds the options of a sender against its type.
func (p *parser) oneSender(s *senderAt) {
	kind, ok := senderOptions[s.Type]
	if !ok {
		return // told already
	}
	for _, o := range s.section.Options {
		if types := takers(o.Name.Text); o.Value.Text != "" && len(types) > 0 && !slices.Contains(types, s.Type) {
			p.errorf(o.Pos, "%s belongs to a sender of type %s, and this one is %s", o.Name.Text, words(types), s.Type)
		}
	}
	lacks := false
	for name := range strings.FieldsSeq(kind.needs) {
		if _, set := p.config.at[s.Name+"."+name]; !set {
			p.errorf(s.section.Pos, "the sender has no %s: a sender of type %s needs one", name, s.Type)
			lacks = true
		}
	}
	if o := p.config.options(s.Sender); !lacks && s.Type != staff {
		o.CAFile = "" // files are for Check
		if _, err := otp.New([]otp.Options{o}, slog.New(slog.DiscardHandler)); err != nil {
			p.errorf(s.section.Pos, "%s", strings.TrimPrefix(err.Error(), "sender "+s.Name+": "))
		}
	}
	if otp.HoldsKeys(s.Type) && !p.config.SingleShop {
		why := "whoever takes one router could send messages in the brand's name, at its cost"
		if s.Type == "zbs" {
			why = "a refresh token of Zalo's is good once, so two routers of one account lock each other out"
		}
		p.errorf(place(s.section, "type"), "a sender of type %s holds the brand's keys: %s. If this is the brand's only router, want option single_shop '1' in config hien 'main'; else want a sender of type webhook, which asks the brand's service", s.Type, why)
	}
}

// allSenders holds the senders against each other and against the zones. It
// comes when all sections are read.
func (p *parser) allSenders() {
	for i := range p.senders {
		s := &p.senders[i]
		p.oneSender(s)
		switch {
		case s.Type == staff && i != len(p.senders)-1:
			p.errorf(s.section.Pos, "sender %s is not the last: no other is tried behind the staff's code", quote(s.Name))
		case s.Type == "log" && len(p.senders) > 1:
			p.errorf(s.section.Pos, "sender %s is for trials, and alone: nothing else is tried beside the log", quote(s.Name))
		}
		for _, before := range p.senders[:i] {
			if s.Type == "zbs" && before.Type == "zbs" && s.TokenFile == before.TokenFile && s.AppID != before.AppID {
				p.errorf(place(s.section, "token_file"), "token_file %s is that of sender %s: want another for another application", s.TokenFile, quote(before.Name))
			}
		}
	}
	if n := utf8.RuneCountInString(strings.Join(p.config.carriers(), ", ")); n > maxCarriers {
		p.errorf(p.senders[len(p.senders)-1].section.Pos, "the names of those who are given numbers by the senders have %d characters, and a notice has room for %d: want shorter names, or fewer senders", n, maxCarriers)
	}
	if len(p.senders) == 0 || slices.ContainsFunc(p.senders, func(s senderAt) bool { return s.Type != staff }) {
		return
	}
	for _, z := range p.zones {
		for _, purpose := range z.Purposes {
			if purpose.Reaches() {
				at := placeOf(z.section, "purpose", func(v string) bool { return v == string(purpose) })
				p.errorf(at, "purpose %s must reach the person, and the staff's code proves no number: want a sender that sends a code, or no such purpose", purpose)
			}
		}
	}
}

// checkSenders looks at the files that senders name. fail is for what keeps
// Hiên from running.
func (c *Config) checkSenders(fail func(at uci.Pos, err error), warn func(at uci.Pos, format string, args ...any)) {
	for _, s := range c.Senders {
		at := func(option string) uci.Pos { return c.where(s.Name, option) }
		_, err := readCAs(s.CAFile, "sender "+s.Name)
		fail(at("ca_file"), err)
		switch s.Type {
		case "log":
			for _, z := range c.Zones {
				if len(z.Asks()) > 0 {
					warn(c.where(z.Name, "purpose"), "zone %s asks for numbers and the sender only writes codes into the log: for trials only", z.Name)
				}
			}
		case "zbs":
			c.checkTokens(s, warn)
		}
		for _, option := range []string{"app_secret", "api_key", "secret_key", "token", "secret"} {
			if mode, open := openToStrangers(c.file); open && at(option).Line > 0 {
				warn(at(option), "others may read the %s (mode %04o): run `chmod 640 %s`", option, mode, c.file)
			}
		}
		if s.Origin != "" && !slices.ContainsFunc(c.Zones, func(z hien.Zone) bool { return c.Services[z.Name].API.Name == s.Origin }) {
			warn(at("origin"), "origin %s is no zone's api_name: phones do not fill in the code", s.Origin)
		}
	}
	for _, z := range c.Zones {
		if len(c.Senders) == 0 && len(z.Asks()) > 0 {
			warn(c.where(z.Name, "purpose"), "nothing is asked in zone %s, and guests come in all the same: there is no config sender, without which no code goes out; with `option type 'staff'` the shop's till shows one", z.Name)
		}
	}
	abroad := slices.ContainsFunc(c.Senders, func(s Sender) bool { return s.Type == "webhook" || s.Type == "log" })
	if c.ForeignNumbers && !abroad {
		warn(c.where("main", "foreign_numbers"), "no sender reaches a number outside of Vietnam: a code goes there by a sender of type webhook only")
	}
	if c.StaffCode() && len(c.Senders) > 1 && !slices.ContainsFunc(c.Zones, func(z hien.Zone) bool {
		return slices.ContainsFunc(z.Asks(), func(p consent.Purpose) bool { return !p.Reaches() })
	}) {
		warn(c.where(c.Senders[len(c.Senders)-1].Name, "type"), "the staff's code is never taken: every purpose must reach the person, and it proves no number")
	}
}

// checkTokens warns of a token file that Zalo's messages cannot be sent with.
// Guests come in all the same, so that is no error.
func (c *Config) checkTokens(s Sender, warn func(at uci.Pos, format string, args ...any)) {
	at := c.where(s.Name, "app_id")
	if _, err := os.Stat(s.TokenFile); err != nil {
		warn(at, "there is no token_file %s: put the official account's refresh token there, alone in its line; until then no Zalo message goes out", s.TokenFile)
	} else if mode, open := openToOthers(s.TokenFile); open {
		warn(at, "others may read %s (mode %04o): run `chmod 600 %s`", s.TokenFile, mode, s.TokenFile)
	}
	if info, err := os.Stat(filepath.Dir(s.TokenFile)); err != nil || !info.IsDir() {
		warn(at, "there is no directory %s: Zalo's tokens could not be renewed", filepath.Dir(s.TokenFile))
	}
}

// setCount reads a whole number.
func setCount(to *int, v string, least, most int64) bool {
	n, ok := decimal(v, most)
	*to = int(n)
	return ok && n >= least
}
