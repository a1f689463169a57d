package setup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The longest that one command may take. `wifi reload` waits for radar on
// some channels, which lasts a minute.
const commandFor = 100 * time.Second

// The unit of systemd, and where it can be: an owner's own, and the package's
// on older and newer systems (systemd.unit(5)).
const unit = "hien.service"

var unitDirectories = []string{"/etc/systemd/system/", "/lib/systemd/system/", "/usr/lib/systemd/system/"}

// RouterCommands are those of OpenWrt, or of a machine with systemd, where
// setup starts nothing and so has nothing to stop but for good; hien is the
// path of this program, and config of its configuration. What the router does
// not have is left out.
func RouterCommands(hien, config string) Commands {
	return commandsWhere(func(name string) bool {
		_, err := os.Stat(name)
		return err == nil
	}, hien, config)
}

func commandsWhere(there func(name string) bool, hien, config string) (c Commands) {
	for _, argv := range [][]string{
		{"/etc/init.d/network", "reload"},
		{"/sbin/wifi", "reload"},
		{"/etc/init.d/dnsmasq", "reload"},
		{"/etc/init.d/odhcpd", "reload"},
		{"/etc/init.d/firewall", "reload"},
	} {
		if there(argv[0]) {
			c.Reload = append(c.Reload, argv)
		}
	}
	const service = "/etc/init.d/hien"
	installed := func(dir string) bool { return there(dir + unit) }
	switch {
	case there(service):
		c.Start = [][]string{{service, "enable"}, {service, "restart"}}
		c.Stop = [][]string{{service, "stop"}}
		c.Off = c.Stop // the script looks whether Hiên is switched on
	// By sd_booted(3) systemd is what the machine was started with.
	case there("/run/systemd/system") && slices.ContainsFunc(unitDirectories, installed):
		c.Off = [][]string{{"systemctl", "disable", "--now", unit}}
	}
	c.Clean = [][]string{{hien, "cleanup", "--config", config}}
	return c
}

// RunCommand runs a program to its end. What it says belongs to the error.
func RunCommand(ctx context.Context, argv []string) error {
	ctx, cancel := context.WithTimeout(ctx, commandFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second // what it has started may hold on to its output
	said, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("run %s: %w%s", strings.Join(argv, " "), err, lastWords(said))
	}
	return nil
}

// lastWords are the last line that a program has written.
func lastWords(said []byte) string {
	lines := bytes.Split(bytes.TrimSpace(said), []byte("\n"))
	if last := strings.ToValidUTF8(string(lines[len(lines)-1]), "?"); last != "" {
		return ": " + last
	}
	return ""
}

// CanOWE reports whether the router's WiFi can be encrypted without a
// password: OpenWrt's hostapd says what it was built with.
func CanOWE(ctx context.Context) bool {
	for _, program := range []string{"/usr/sbin/hostapd", "/usr/sbin/wpad"} {
		if _, err := os.Stat(program); err == nil {
			return RunCommand(ctx, []string{program, "-vowe"}) == nil
		}
	}
	return false
}

// BootID names this run of the machine.
func BootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("which run of the machine is this: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// watching is what a detached process writes when it is ready.
const watching = "watching\n"

// readyFor is how long a detached process may take until it is ready.
const readyFor = 20 * time.Second

// Detach starts a program that outlives this one and its terminal, in a
// session of its own. It returns when that has written that it is ready, with
// [Ready].
func Detach(ctx context.Context, argv []string) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	defer read.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Stdout = write // no pipe of exec's own: this one is closed here alone
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return fmt.Errorf("start %s: %w", argv[0], err)
	}
	ctx, cancel := context.WithTimeout(ctx, readyFor)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { read.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if line, err := bufio.NewReader(read).ReadString('\n'); line != watching {
		err = errors.Join(err, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		return fmt.Errorf("start %s: it does not say that it is ready: %w", strings.Join(argv, " "), err)
	}
	return cmd.Process.Release()
}

// Ready tells the one who has detached this process that it is ready.
// Nothing may be written to out afterwards: nobody reads it any more.
func Ready(out io.Writer) error {
	_, err := io.WriteString(out, watching)
	return err
}
