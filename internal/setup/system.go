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
	"strings"
	"syscall"
	"time"
)

// The longest that one command may take. `wifi reload` waits for radar on
// some channels, which lasts a minute.
const commandFor = 100 * time.Second

// RouterCommands are those of OpenWrt; hien is the path of this program, and
// config of its configuration. What the router does not have is left out.
func RouterCommands(hien, config string) Commands {
	there := func(name string) bool {
		_, err := os.Stat(name)
		return err == nil
	}
	var c Commands
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
	if there(service) {
		c.Start = [][]string{{service, "enable"}, {service, "restart"}}
		c.Stop = [][]string{{service, "stop"}}
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
