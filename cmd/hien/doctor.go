package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hien-wifi/hien/firewall"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/doctor"
)

const doctorHelp = `
It becomes a guest of each zone for some seconds, with an address by DHCP and
without a pass, and plays the probe of every operating system. Then it looks at
what else the router does to guests. Each finding says what is wrong, whom it
concerns, and the one command that mends it. Nothing is changed, and the guest
is gone when it ends. It must run as root. Its exit status is 1 when something
is bad.

Example:
    hien doctor --lang vi
`

// errSick is the exit status of a shop in which something is bad.
var errSick = errors.New("something is bad: see above")

// examine is `hien doctor`.
func examine(ctx context.Context, c *call) error {
	lang := c.flags.String("lang", "", "the report's `LANGUAGE`, en or vi (default that of the terminal)")
	leases := c.flags.String("leases", "", "the `FILE` in which dnsmasq keeps its leases (default the usual ones)")
	conf := c.flags.String("dnsmasq-conf", "", "the `FILE` from which dnsmasq has its DHCP ranges (default the usual ones)")
	noGuest := c.flags.Bool("no-guest", false, "play no guest, and ask only the portal's own port")
	if err := c.parse(0); err != nil {
		return err
	}
	language, ok := doctor.ParseLanguage(cmp.Or(*lang, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")))
	if !ok && *lang != "" {
		return c.misused("--lang %s: want en or vi", *lang)
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return err
	}
	house, err := askHouse(ctx, cfg)
	if err != nil {
		return err
	}
	o := doctor.Options{House: house, Language: language, NoGuest: *noGuest}
	if *leases != "" {
		o.Files.Leases = []string{*leases}
	}
	if *conf != "" {
		o.Files.DnsmasqConf = []string{*conf}
	}
	report, err := doctor.Examine(ctx, o, time.Now())
	if err != nil {
		return err
	}
	if err := answer(c, report, func(w io.Writer, r *doctor.Report) error { return doctor.Write(w, r, language) }); err != nil {
		return err
	}
	if !report.Healthy {
		return errSick
	}
	return nil
}

// askHouse is what the doctor must know of Hiên: what it is set to do, and
// what the daemon says, when it runs.
func askHouse(ctx context.Context, cfg *config.Config) (doctor.House, error) {
	h := doctor.House{Mark: cmp.Or(cfg.Mark, firewall.DefaultMark), Clock: clock{}.now().InStep}
	for _, z := range cfg.Zones {
		s := cfg.Services[z.Name]
		h.Zones = append(h.Zones, doctor.Zone{
			Name: z.Name, Interface: z.Interface, PortalPort: z.PortalPort,
			DNSPort: s.DNSPort, APIPort: s.API.Port, APIName: s.API.Name,
			Limited: z.Idle > 0 || z.Volume > 0 || z.Speed.Down+z.Speed.Up+z.AllSpeed.Down+z.AllSpeed.Up > 0,
		})
	}
	client, err := control.Dial(cfg.RunDir)
	if errors.Is(err, control.ErrNotRunning) {
		return h, nil
	}
	if err != nil {
		return h, err
	}
	s, err := client.Status(ctx)
	if err != nil {
		return h, fmt.Errorf("ask the daemon how it is: %w", err)
	}
	h.Running, h.Broken, h.Released, h.Backend, h.Clock = true, s.Firewall.Broken, s.Firewall.Released, s.Firewall.Backend, s.Clock.InStep
	for i, z := range h.Zones {
		for _, is := range s.Zones {
			if is.Name == z.Name && is.State != control.ZoneOpen {
				h.Zones[i].Trouble = strings.TrimSpace(is.State)
			}
		}
	}
	return h, nil
}
