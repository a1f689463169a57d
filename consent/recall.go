package consent

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A Recalled is who asked, and under which law, as a notice tells that was kept
// as its Text.
type Recalled struct {
	Jurisdiction string // of the policy that made it; empty when that is not there any more
	Named        bool   // what follows is known; else it is zero
	Store        string
	// Controller has the recipients, and the carriers, as one name each, as they
	// stand in the text. Where nothing tells where the name ends and the address
	// begins, both stand in Name.
	Controller Controller
}

// Recall reads who asked out of a notice's text, whatever the configuration
// says today. It goes by the policy that made it: today's, or one that comes
// with Hiên. When that has other words by now, or is not there any more, nobody
// is named.
func (a Asker) Recall(text string) (r Recalled) {
	policies := []*Policy{a.Policy}
	for _, id := range Policies() {
		if p, err := LoadPolicy(id); err == nil {
			policies = append(policies, p)
		}
	}
	version := noticeHead.FindStringSubmatch(text)
	for _, p := range policies {
		if p == nil || version == nil || !strings.HasPrefix(version[1], p.ID+".") {
			continue
		}
		if r.Jurisdiction == "" {
			r.Jurisdiction = p.Jurisdiction
		}
		if facts, ok := p.readBack(text, version[2], a.Controller); ok {
			one := func(name string) []string {
				return slices.DeleteFunc([]string{facts[name]}, func(s string) bool { return s == "" })
			}
			r.Jurisdiction, r.Named, r.Store = p.Jurisdiction, true, facts["store"]
			r.Controller = Controller{Name: facts["controller"], Address: facts["address"], TaxID: facts["tax_id"], Contact: facts["contact"],
				Recipients: one("recipients"), Carriers: one("carriers"), Operator: facts["operator"], Transfer: facts["transfer"]}
			return r
		}
	}
	return r
}

// noticeHead is the first line of a notice's text: version and language.
var noticeHead = regexp.MustCompile(`^notice (\S+) \((\w+)\)\n`)

// readBack finds what the owner wrote in a notice of the policy: each paragraph
// must be one of the policy's, with something in its places. today's name or
// address is taken for the one of then where the text reads so.
func (p *Policy) readBack(text, language string, today Controller) (facts map[string]string, ok bool) {
	blocks := strings.Split(strings.TrimSuffix(text, "\n"), "\n\n")
	if len(blocks) < 2 {
		return nil, false
	}
	// The numbers are filled in, and the facts left as they are named.
	fill := p.filler(language, "{store}", Controller{Name: "{controller}", Address: "{address}", TaxID: "{tax_id}", Contact: "{contact}",
		Recipients: []string{"{recipients}"}, Carriers: []string{"{carriers}"}, Operator: "{operator}", Transfer: "{transfer}"})
	var templates []string
	for _, para := range p.Body {
		if t := fill(Words{para.VI, para.EN}.in(language)); !slices.Contains(templates, t) {
			templates = append(templates, t)
		}
	}
	facts = make(map[string]string)
	read := func(block string, templates ...string) bool {
		fitting := 0
		for _, t := range templates {
			found, fits := factsIn(block, t, today)
			if !fits {
				continue
			}
			fitting++
			for name, value := range found {
				if have, told := facts[name]; told && have != value {
					return false
				}
				facts[name] = value
			}
		}
		return fitting == 1
	}
	if !read(blocks[1], fill(p.Title.in(language))) {
		return nil, false
	}
	for _, block := range blocks[2:] {
		if !strings.HasPrefix(block, "[ ] ") && !read(block, templates...) {
			return nil, false
		}
	}
	return facts, facts["controller"] != "" && facts["contact"] != ""
}

// factsIn reads what stands in a paragraph in the places of its template, and
// reports whether it is of that template.
func factsIn(block, template string, today Controller) (facts map[string]string, fits bool) {
	facts, whole, fits := fit(block, template, nil)
	if !fits || whole {
		return facts, fits
	}
	for name, value := range map[string]string{"controller": today.Name, "address": today.Address} {
		if value == "" {
			continue
		}
		if found, whole, fits := fit(block, template, map[string]string{name: value}); fits && whole {
			return found, true
		}
	}
	// A name and an address with nothing but a comma between them.
	if _, told := facts["controller"]; !told {
		places := placesIn(template, nil, "*?")
		at := places.FindStringSubmatchIndex(block)
		name, address := places.SubexpIndex("controller"), places.SubexpIndex("address")
		if name > 0 && address == name+1 {
			facts["controller"] = block[at[2*name]:at[2*address+1]]
		}
	}
	return facts, true
}

// fit reads a paragraph as its template, with some places filled. Of the others
// those are told that can be nothing else; whole reports whether all are.
func fit(block, template string, filled map[string]string) (facts map[string]string, whole, fits bool) {
	short, long := placesIn(template, filled, "*?"), placesIn(template, filled, "*")
	least, most := short.FindStringSubmatch(block), long.FindStringSubmatch(block)
	if least == nil {
		return nil, false, false
	}
	facts, whole = make(map[string]string), true
	for i, name := range short.SubexpNames() {
		switch {
		case name == "":
		case least[i] == most[i]:
			facts[name] = least[i]
		default:
			whole = false
		}
	}
	maps.Copy(facts, filled)
	return facts, whole, true
}

// place is where a fact stands in a template.
var place = regexp.MustCompile(`\{[a-z_]+\}`)

// placesIn matches a paragraph of the template. how says whether a place is as
// short or as long as it can be.
func placesIn(template string, filled map[string]string, how string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("^")
	seen, end := make(map[string]bool), 0
	for _, at := range place.FindAllStringIndex(template, -1) {
		b.WriteString(regexp.QuoteMeta(template[end:at[0]]))
		name := template[at[0]+1 : at[1]-1]
		value, is := filled[name]
		switch {
		case is:
			b.WriteString(regexp.QuoteMeta(value))
		case seen[name]:
			b.WriteString("(?:." + how + ")")
		default:
			b.WriteString("(?P<" + name + ">." + how + ")")
		}
		seen[name], end = true, at[1]
	}
	b.WriteString(regexp.QuoteMeta(template[end:]) + "$")
	return regexp.MustCompile(b.String())
}
