package setup

import "slices"

// Undo says what takes all of setup's sections out of the router's files, and
// switches Hiên off. What else is in the files stays as it is.
func (r *Router) Undo() (*Plan, error) {
	trees, err := r.trees()
	if err != nil {
		return nil, err
	}
	p := new(Plan)
	// Nothing may name a network that is gone: the network goes last.
	for _, file := range slices.Backward(routerFiles) {
		p.Changes = append(p.Changes, stale(file, trees[file], nil)...)
	}
	if main := shop(trees[hienFile]); main != nil && main.get("enabled") != "0" {
		p.Changes = append(p.Changes, Change{File: hienFile, Section: main.name, Option: "enabled", Values: []string{"0"}})
	}
	return p, nil
}

// back says what makes our sections in a file those that they are in another
// text of it. In Hiên's own file it only switches Hiên on or off.
func back(file string, now, before []byte) ([]Change, error) {
	have, err := parse(file, now)
	if err != nil {
		return nil, err
	}
	was, err := parse(file, before)
	if err != nil {
		return nil, err
	}
	if file == hienFile {
		enabled := shop(was).get("enabled")
		if shop(was) == nil {
			enabled = "0"
		}
		if shop(have) == nil || shop(have).get("enabled") == enabled {
			return nil, nil
		}
		return []Change{{File: file, Section: shop(have).name, Option: "enabled", Values: some(enabled)}}, nil
	}
	var wishes []wish
	var all []Change
	for _, name := range was.ours(file) {
		s := was.named(name)
		w := wish{file: file, section: name, typ: s.typ}
		for _, o := range s.options {
			at := slices.IndexFunc(w.options, func(have wished) bool { return have.name == o.Name.Text })
			if at < 0 {
				at, w.options = len(w.options), append(w.options, wished{name: o.Name.Text, list: o.List})
			}
			w.options[at].values = append(w.options[at].values, o.Value.Text)
		}
		for _, o := range have.named(name).all() {
			if !slices.ContainsFunc(w.options, func(wanted wished) bool { return wanted.name == o }) {
				w.options = append(w.options, wished{name: o})
			}
		}
		wishes = append(wishes, w)
	}
	all = stale(file, have, wishes)
	for _, w := range wishes {
		changes, err := w.changes(have)
		if err != nil {
			return nil, err
		}
		all = append(all, changes...)
	}
	return all, nil
}

// all are the names of a section's options. A nil section has none.
func (s *section) all() (names []string) {
	if s == nil {
		return nil
	}
	for _, o := range s.options {
		if !slices.Contains(names, o.Name.Text) {
			names = append(names, o.Name.Text)
		}
	}
	return names
}
