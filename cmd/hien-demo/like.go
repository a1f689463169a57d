package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/hien-wifi/hien/internal/uci"
)

// The options of an owner's configuration that guests read, or that say what
// they are asked: those of the section about the shop, and those of a zone.
var (
	shopTexts = []string{"store_name", "policy", "policy_file", "mode", "controller_name", "controller_address",
		"controller_tax_id", "controller_contact", "recipient", "operator", "transfer"}
	zoneTexts = []string{"offer", "terms", "purpose", "children"}
)

// like gives the configuration of the demo's shop the texts of an owner's own
// file: of its shop, and of its first zone. Names, keys and addresses stay
// those of the demo.
func like(demo, own []byte, file string) ([]byte, error) {
	f, err := uci.Parse(file, bytes.NewReader(own))
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		typ, to string
		options []string
	}{{"hien", "main", shopTexts}, {"zone", "guest", zoneTexts}} {
		values, lists := make(map[string][]string), map[string]bool{"recipient": true, "purpose": true}
		for _, s := range f.Sections {
			if s.Type.Text != part.typ {
				continue
			}
			for _, o := range s.Options {
				values[o.Name.Text] = append(values[o.Name.Text], o.Value.Text)
			}
			break
		}
		for _, name := range part.options {
			if lists[name] {
				demo, err = uci.SetList("the demo's configuration", demo, part.to, name, values[name])
			} else {
				value := ""
				if v := values[name]; len(v) > 0 {
					value = v[0]
				}
				demo, err = uci.Set("the demo's configuration", demo, part.to, name, value)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return demo, nil
}

// dressUp writes the owner's texts into the shop's configuration.
func (s *story) dressUp() error {
	own, err := os.ReadFile(s.like)
	if err != nil {
		return fmt.Errorf("read the owner's configuration: %w", err)
	}
	demo, err := os.ReadFile(s.gateway.Config)
	if err != nil {
		return err
	}
	if demo, err = like(demo, own, s.like); err != nil {
		return err
	}
	return os.WriteFile(s.gateway.Config, demo, 0o600)
}
