package config

import (
	"fmt"
	"slices"

	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/uci"
)

// The modes: what a router remembers of a person.
const (
	modeFrequency = "frequency"
	modeBasic     = "basic"
)

// maxRecipients is how many recipients a notice names, so that its page stays
// below 14 KB.
const maxRecipients = 8

// policyOptions say by which policy people are asked, and who asks.
func policyOptions() []option[Config] {
	fact := func(name, allowed string, most int, to func(*Config) *string, manual string) option[Config] {
		return option[Config]{name: name, allowed: allowed, manual: manual,
			set: func(c *Config, v string) bool { return setText(to(c), v, most) }}
	}
	return []option[Config]{
		{name: "policy", unset: "vn-2026", allowed: words(consent.Policies()),
			manual: "By which law people are asked: the notice's words, what it must contain, how long data is kept, from which age on. `vn-2026`: Law 91/2025/QH15 and Decree 356/2025/NĐ-CP. `vn-2023`: the older Decree 13/2023/NĐ-CP. `eu-gdpr`: the General Data Protection Regulation. `hien notice show` prints what it comes to.",
			set:    func(c *Config, v string) bool { return setOneOf(&c.Policy, v, consent.Policies()...) }},
		{name: "policy_file", allowed: pathAllowed,
			manual: "A policy of your own counsel's, in the place of `policy`: see [policy.md](policy.md). While it cannot be read nothing is asked, and guests come in all the same.",
			set:    func(c *Config, v string) bool { return setPath(&c.PolicyFile, v) }},
		{name: "mode", unset: modeFrequency, allowed: modeFrequency + " or " + modeBasic,
			manual: "`basic` keeps a number and one time: `visit_frequency` cannot be asked for, and whoever answers as before leaves nothing more behind. `frequency` keeps a history of visits of those who agree to it, which may be sensitive personal data; the notice says so.",
			set:    func(c *Config, v string) bool { return setOneOf(&c.Mode, v, modeFrequency, modeBasic) }},
		fact("controller_name", textAllowed(120), 120, func(c *Config) *string { return &c.Controller.Name },
			"Who decides about the data, as registered. This and the next options stand in the notice; while one is missing that the policy needs, nothing is asked."),
		fact("controller_address", textAllowed(200), 200, func(c *Config) *string { return &c.Controller.Address },
			"Its postal address."),
		fact("controller_tax_id", textAllowed(32), 32, func(c *Config) *string { return &c.Controller.TaxID },
			"Its tax id (mã số thuế). The policies vn-2026 and vn-2023 need it."),
		fact("controller_contact", textAllowed(120), 120, func(c *Config) *string { return &c.Controller.Contact },
			"How to reach whoever answers for personal data: an address for mail, or a telephone number."),
		{name: "recipient", list: true, allowed: fmt.Sprintf("%s, at most %d of them, each once", textAllowed(80), maxRecipients),
			manual: "Who receives data, by name. At least one as soon as there is a sink.",
			set:    addRecipient},
		fact("operator", textAllowed(120), 120, func(c *Config) *string { return &c.Controller.Operator },
			"Who runs the brand's central service on its behalf, if somebody does (Law 91/2025/QH15 Art. 23.7). A sender of type webhook gives numbers to them, unless its `carrier` says otherwise."),
		fact("transfer", textAllowed(120), 120, func(c *Config) *string { return &c.Controller.Transfer },
			"The countries to which data goes from here, if it does: where the platform or its servers are."),
	}
}

func addRecipient(c *Config, v string) bool {
	var name string
	if !setText(&name, v, 80) || slices.Contains(c.Controller.Recipients, name) || len(c.Controller.Recipients) == maxRecipients {
		return false
	}
	c.Controller.Recipients = append(c.Controller.Recipients, name)
	return true
}

// OneTime reports whether a number and one time is all that is kept.
func (c *Config) OneTime() bool { return c.Mode == modeBasic }

// Asker is who asks, and by which policy. With an error, and while it is not
// ready, nothing is asked.
func (c *Config) Asker() (consent.Asker, error) {
	a := consent.Asker{Controller: c.Controller}
	a.Controller.Delivers, a.Controller.Carriers, a.Controller.AccessLog = c.Sink != nil, c.carriers(), c.KeepsAccessLog() // R-LOG-3
	if c.PolicyFile == "" {
		p, err := consent.LoadPolicy(c.Policy)
		a.Policy = p
		return a, err
	}
	text, err := readSmall(c.PolicyFile)
	if err != nil {
		return a, fmt.Errorf("read policy_file: %w", err)
	}
	if a.Policy, err = consent.ParsePolicy(text); err != nil {
		return a, fmt.Errorf("policy_file %s: %w", c.PolicyFile, err)
	}
	return a, nil
}

// examples are what an owner may write for a fact.
var examples = map[consent.Fact]string{
	consent.FactName:      "option controller_name with the name of the company or person who decides about the data, as in 'Công ty TNHH Hiên Mẫu'",
	consent.FactAddress:   "option controller_address with its postal address, as in '1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh'",
	consent.FactTaxID:     "option controller_tax_id with its tax id, as in '0000000001'",
	consent.FactContact:   "option controller_contact with how to reach whoever answers for personal data, as in 'dpo@shop.example'",
	consent.FactRecipient: "list recipient with the name of who receives the data by the sink, as in 'Nền tảng CDP Mẫu'",
	consent.FactCarrier:   "option carrier of the sender of type webhook with the name of who runs the service that sends the codes, as in 'Công ty Nhắn tin Mẫu'",
}

// Example says how an owner writes a fact.
func Example(f consent.Fact) string { return examples[f] }

// Unasked says why nothing is asked although somebody would be, and what the
// owner should do about it; nothing when all is there.
func (c *Config) Unasked() (why string, todo []string) {
	if !c.Asks() {
		return "", nil
	}
	asker, err := c.Asker()
	if err != nil {
		return err.Error(), []string{"mend it, or take option policy_file out"}
	}
	for _, f := range asker.Lacks() {
		why = "the notice of policy " + asker.Policy.ID + " is not complete"
		todo = append(todo, "write "+Example(f))
	}
	return why, todo
}

// checkNotice warns of what keeps people from being asked.
func (c *Config) checkNotice(warn func(at uci.Pos, format string, args ...any)) {
	at := c.where("main", "policy")
	if c.PolicyFile != "" {
		at = c.where("main", "policy_file")
	}
	why, todo := c.Unasked()
	for _, do := range todo {
		warn(at, "nothing is asked, and guests come in all the same: %s: %s", why, do)
	}
}

// remembered tells of purposes for which mode keeps too little.
func (p *parser) remembered(z zoneAt) {
	if p.config.Mode == modeBasic && slices.Contains(z.Purposes, consent.VisitFrequency) {
		at := placeOf(z.section, "purpose", func(v string) bool { return v == string(consent.VisitFrequency) })
		p.errorf(at, "purpose visit_frequency is a history of a person's visits, and option mode 'basic' keeps none: want another purpose, or option mode 'frequency' in config hien 'main'")
	}
}
