package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hien-wifi/hien"
	"github.com/hien-wifi/hien/internal/config"
	"github.com/hien-wifi/hien/internal/control"
	"github.com/hien-wifi/hien/internal/uci"
)

// who is the user of the system who asks, for the audit: the one who became
// root, where that is known.
func who() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "user " + strconv.Itoa(os.Getuid())
}

// device reads the one word of a command that names a device.
func (c *call) device() (string, error) {
	if err := c.parse(1); err != nil {
		return "", err
	}
	if len(c.words) == 0 {
		return "", c.misused("which device? `hien guests --full` shows them")
	}
	return c.words[0], nil
}

func admit(ctx context.Context, c *call) error {
	return order(ctx, c, (*control.Client).Admit, control.WriteAdmitted)
}

func revoke(ctx context.Context, c *call) error {
	return order(ctx, c, (*control.Client).Revoke, control.WriteRevoked)
}

// order is a command that has something done for a device.
func order(ctx context.Context, c *call, ask func(*control.Client, context.Context, control.Order) (control.Done, error),
	write func(io.Writer, control.Done) error) error {
	zone := c.flags.String("zone", "", "the device's `ZONE`; else every zone where it is")
	device, err := c.device()
	if err != nil {
		return err
	}
	client, err := c.dial()
	if err != nil {
		return err
	}
	done, err := ask(client, ctx, control.Order{Who: who(), Device: device, Zone: *zone})
	if err != nil {
		return err
	}
	return answer(c, done, write)
}

// openDoor is `hien open TIME` and `hien open --end`.
func openDoor(ctx context.Context, c *call) error {
	end := c.flags.Bool("end", false, "shut the door again")
	if err := c.parse(1); err != nil {
		return err
	}
	var span time.Duration
	switch {
	case *end && len(c.words) > 0:
		return c.misused("--end takes no time")
	case !*end && len(c.words) == 0:
		return c.misused("for how long? `hien open 2h` opens the door to everybody for two hours")
	case !*end:
		var err error
		if span, err = time.ParseDuration(c.words[0]); err != nil || span < hien.OpenMin || span > hien.OpenMax {
			return c.misused("%q: want a time from 1m to 24h, as 90m or 1h30m", c.words[0])
		}
	}
	client, err := c.dial()
	if err != nil {
		return err
	}
	var opened control.Opened
	if *end {
		err = client.EndOpen(ctx, who())
	} else {
		opened, err = client.Open(ctx, who(), span)
	}
	if err != nil {
		return err
	}
	return answer(c, opened, func(w io.Writer, o control.Opened) error { return control.WriteOpened(w, o, time.Now()) })
}

// reload is `hien reload`.
func reload(ctx context.Context, c *call) error {
	if err := c.parse(0); err != nil {
		return err
	}
	cfg, err := config.Load(c.config)
	if err != nil {
		return fmt.Errorf("nothing was taken over, and a daemon that runs keeps what it has:\n%w", err)
	}
	client, err := control.Dial(cfg.RunDir)
	if err != nil {
		return err
	}
	if err := client.Reload(ctx, who(), control.Deed{}); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Hiên has taken %s over.\n", c.config)
	return nil
}

// A roll is one of the two lists of devices in a zone's section.
type roll struct {
	option, other string // the list, and the one in which its devices cannot be
	is            string // what is said of a device in it
	did, undid    string // for the audit
}

func block(ctx context.Context, c *call) error {
	return enrol(ctx, c, roll{"blocked", "trusted", "blocked", hien.DidBlock, hien.DidUnblock})
}

func trust(ctx context.Context, c *call) error {
	return enrol(ctx, c, roll{"trusted", "blocked", "trusted", hien.DidTrust, hien.DidUntrust})
}

// enrol writes a device into a list of the configuration, or out of it, and
// has a daemon that runs take that over.
func enrol(ctx context.Context, c *call, r roll) error {
	zone := c.flags.String("zone", "", "the one `ZONE` in whose list it is written; else all have it")
	undo := c.flags.Bool("undo", false, "take the device out of the list again")
	word, err := c.device()
	if err != nil {
		return err
	}
	mac, err := hien.ParseMAC(word)
	if err != nil {
		return c.misused("%q: %v", word, err)
	}
	zones, err := r.edit(c.config, mac, *zone, *undo)
	if err != nil {
		return err
	}
	did, says := r.did, "is "+r.is
	if *undo {
		did, says = r.undid, "is no longer "+r.is
	}
	about := fmt.Sprintf("%s in zone %s", mac, strings.Join(zones, ", "))
	if len(zones) > 3 {
		about = fmt.Sprintf("%s in %d zones", mac, len(zones))
	}
	fmt.Fprintf(c.out, "%s %s in zone %s.\n", mac.Reveal(), says, strings.Join(zones, ", "))
	client, err := c.dial()
	if errors.Is(err, control.ErrNotRunning) {
		fmt.Fprintln(c.out, "Hiên is not running: it holds from its next start.")
		return nil
	}
	if err == nil {
		err = client.Reload(ctx, who(), control.Deed{What: did, About: about})
	}
	if err != nil {
		return fmt.Errorf("%s was written, and the daemon does not have it yet: %w", c.config, err)
	}
	return nil
}

// edit changes the file, and answers the zones in which it did.
func (r roll) edit(path string, mac hien.MAC, zone string, undo bool) (zones []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if _, err := config.Parse(path, strings.NewReader(string(text))); err != nil {
		return nil, fmt.Errorf("correct the configuration first:\n%w", err)
	}
	file, err := uci.Parse(path, strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	is := func(value string) bool { m, err := hien.ParseMAC(value); return err == nil && m == mac }
	var all []string
	for i, s := range file.Sections {
		if s.Type.Text != "zone" {
			continue
		}
		all = append(all, s.Name.Text)
		if zone != "" && s.Name.Text != zone {
			continue
		}
		in := func(option string) bool {
			return slices.ContainsFunc(s.Options, func(o uci.Option) bool { return o.Name.Text == option && is(o.Value.Text) })
		}
		switch {
		case in(r.option) != undo:
			continue // as it should be
		case undo:
			text, err = uci.DeleteFromList(path, text, i, r.option, is)
		case in(r.other):
			err = fmt.Errorf("%s is %s in zone %s: `hien %s --undo %[1]s` first", mac.Reveal(), r.other, s.Name.Text, strings.TrimSuffix(r.other, "ed"))
		default:
			text, err = uci.AddToList(path, text, i, r.option, mac.Reveal().String())
		}
		if err != nil {
			return nil, err
		}
		zones = append(zones, s.Name.Text)
	}
	switch {
	case zone != "" && !slices.Contains(all, zone):
		return nil, fmt.Errorf("%s has no zone %q: want one of %s", path, zone, strings.Join(all, ", "))
	case len(zones) == 0 && undo:
		return nil, fmt.Errorf("%s is not %s: nothing was changed", mac.Reveal(), r.is)
	case len(zones) == 0:
		return nil, fmt.Errorf("%s is %s already: nothing was changed", mac.Reveal(), r.is)
	}
	if _, err := config.Parse(path, strings.NewReader(string(text))); err != nil {
		return nil, fmt.Errorf("the configuration stays as it is, as it would be wrong:\n%w", err)
	}
	return zones, replaceFile(path, text)
}

// replaceFile puts a text in the place of a file's, with its owner and mode. A
// kill or a power cut leaves the one or the other, whole.
func replaceFile(path string, text []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	fresh, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	defer os.Remove(fresh.Name()) // once it has its name there is nothing to remove
	_, err = fresh.Write(text)
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		err = errors.Join(err, fresh.Chown(int(owner.Uid), int(owner.Gid)))
	}
	err = errors.Join(err, fresh.Chmod(info.Mode().Perm()), fresh.Sync(), fresh.Close())
	if err == nil {
		err = os.Rename(fresh.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
