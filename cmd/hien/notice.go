package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/consent"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/sqlite"
	"github.com/hien-wifi/hien/portal"
	"github.com/hien-wifi/hien/templates"
)

// showNotice is `hien notice show`.
func showNotice(ctx context.Context, c *call) error {
	lang := c.flags.String("lang", "vi", "the notice's `LANGUAGE`: vi or en")
	name := c.flags.String("zone", "", "the guest network, by its `NAME`, when several ask")
	hash := c.flags.String("hash", "", fmt.Sprintf("the one that was shown, by its `HASH` or %d of its first digits", control.MinHashDigits))
	if err := c.parse(0); err != nil {
		return err
	}
	if *hash != "" {
		return c.showKept(ctx, *hash)
	}
	if _, ok := templates.ParseLanguage(*lang); !ok {
		return c.misused("there is no notice in %q: want vi or en", *lang)
	}
	cfg, asker, zones, err := c.askers(*name)
	if err != nil {
		return err
	}
	if len(zones) > 1 {
		return c.misused("several guest networks ask: want --zone and one of %s", strings.Join(zoneNames(zones), ", "))
	}
	n, err := asker.Notice(*lang, cfg.StoreName, zones[0].Asks())
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.out, n.Text())
	return err
}

// showKept prints a notice as it was shown, in the language in which it was.
func (c *call) showKept(ctx context.Context, begin string) error {
	others := false
	c.flags.Visit(func(f *flag.Flag) { others = others || f.Name == "lang" || f.Name == "zone" })
	if others {
		return c.misused("--hash names one notice, in one language: want it without --lang and --zone")
	}
	if !control.IsHashBegin(begin) {
		return c.misused("--hash %.80q: want its first %d to 64 digits, as hex", begin, control.MinHashDigits)
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	var n control.Notice
	err = askOrRead(ctx, cfg,
		func(client *control.Client) (err error) { n, err = client.Notice(ctx, begin); return err },
		func(l *sqlite.Ledger, _ hien.RouterKey) (err error) { n, err = keptNotice(ctx, l, begin); return err })
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.out, n.Text)
	return err
}

// notice is the daemon's answer.
func (d *daemon) notice(ctx context.Context, begin string) (control.Notice, error) {
	if d.record == nil {
		return control.Notice{}, d.closed
	}
	return keptNotice(ctx, &d.record.Ledger, begin)
}

// keptNotice reads a notice that was shown.
func keptNotice(ctx context.Context, l *sqlite.Ledger, begin string) (control.Notice, error) {
	hash, text, err := l.KeptNotice(ctx, begin)
	switch {
	case errors.Is(err, sqlite.ErrNoNotice):
		return control.Notice{}, control.Refusal("no notice with the hash %s was agreed to here: `hien consents --json` and `hien ledger export` have those that were", begin)
	case errors.Is(err, sqlite.ErrManyNotices):
		return control.Notice{}, control.Refusal("several notices have a hash that begins with %s: want more of its digits", begin)
	}
	return control.Notice{Hash: hash, Text: text}, err
}

// previewNotice is `hien notice preview`.
func previewNotice(_ context.Context, c *call) error {
	name := c.flags.String("zone", "", "the guest network, by its `NAME`; without it each that asks")
	if err := c.parse(1); err != nil {
		return err
	}
	if len(c.words) == 0 {
		return c.misused("where to? want a directory")
	}
	cfg, asker, zones, err := c.askers(*name)
	if err != nil {
		return err
	}
	dir := c.words[0]
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, z := range zones {
		for _, lang := range templates.Languages {
			g := hien.Greeting{StoreName: cfg.StoreName, Zone: z, Asker: asker, Ask: z.Asks(), NoNumber: asker.NoNumber}
			first, notice, err := portal.Preview(lang, g)
			if err != nil {
				return err
			}
			for page, html := range map[string][]byte{"first": first, "notice": notice} {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s.%s.html", z.Name, page, lang)), html, 0o644); err != nil {
					return err
				}
			}
			fmt.Fprintf(c.out, "%s, %s: %s and the whole notice in %s\n", z.Name, lang,
				filepath.Join(dir, z.Name+"-first."+string(lang)+".html"), filepath.Join(dir, z.Name+"-notice."+string(lang)+".html"))
		}
	}
	return nil
}

// askers are who asks, and the zones that ask: the one of that name, if one is
// named. What the notice still lacks is an error that says what to write.
func (c *call) askers(name string) (*config.Config, consent.Asker, []hien.Zone, error) {
	cfg, err := config.Load(c.config)
	if err != nil {
		return nil, consent.Asker{}, nil, err
	}
	zones := slices.DeleteFunc(slices.Clone(cfg.Zones), func(z hien.Zone) bool {
		return len(z.Asks()) == 0 || name != "" && z.Name != name
	})
	if len(zones) == 0 {
		return nil, consent.Asker{}, nil, fmt.Errorf("nothing is asked there: want a zone with a list purpose in %s", c.config)
	}
	asker, err := cfg.Asker()
	if err != nil {
		return nil, consent.Asker{}, nil, err
	}
	asker.NoNumber = cfg.StaffCode() && len(cfg.Codes()) == 0
	if lacks := asker.Lacks(); len(lacks) > 0 {
		why := []string{"the notice is not complete"}
		for _, f := range lacks {
			why = append(why, "write "+config.Example(f))
		}
		return nil, consent.Asker{}, nil, errors.New(strings.Join(why, "\n  "))
	}
	return cfg, asker, zones, nil
}

func zoneNames(zones []hien.Zone) (names []string) {
	for _, z := range zones {
		names = append(names, z.Name)
	}
	return names
}
